//! What a data URL holds (RFC 2397), unpacked where the config says gzip. Touches nothing.

use std::io::Read;

use base64::Engine as _;

/// Returns the bytes; `None` for another URL, for what is damaged, and for what unpacks to more than `limit` bytes.
pub(crate) fn decode(source: &str, gzip: bool, limit: u64) -> Option<Vec<u8>> {
    let (scheme, rest) = source.split_once(':')?;
    let (head, data) = rest.split_once(',').filter(|_| scheme.eq_ignore_ascii_case("data"))?;
    let bytes = percent(data)?;
    let bytes = match head.ends_with(";base64") {
        true => base64::engine::general_purpose::STANDARD.decode(bytes).ok()?,
        false => bytes,
    };
    let bytes = if gzip { unpacked(&bytes, limit)? } else { bytes };
    (bytes.len() as u64 <= limit).then_some(bytes)
}

/// Undoes percent-encoding; `None` where a `%` has no two digits behind it.
fn percent(data: &str) -> Option<Vec<u8>> {
    let digits =
        |part: &str| part.as_bytes().first_chunk::<2>().is_some_and(|two| two.iter().all(u8::is_ascii_hexdigit));
    data.split('%').skip(1).all(digits).then(|| percent_encoding::percent_decode_str(data).collect())
}

/// A few bytes of gzip can stand for gigabytes.
fn unpacked(bytes: &[u8], limit: u64) -> Option<Vec<u8>> {
    let mut unpacked = vec![];
    flate2::bufread::MultiGzDecoder::new(bytes).take(limit + 1).read_to_end(&mut unpacked).ok()?;
    Some(unpacked)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::format::ignition::data_url;

    #[test]
    fn data_urls_are_decoded() {
        for (source, expected) in [
            ("data:,a%20b%0A", Some(&b"a b\n"[..])),
            ("data:text/plain;charset=utf-8,%C3%A4", Some("ä".as_bytes())),
            ("data:;base64,aGk=", Some(b"hi")),
            ("data:;base64,aGk%3D", Some(b"hi")),
            ("DATA:,x", Some(b"x")),
            ("data:,", Some(b"")),
            ("data:,%4", None),
            ("data:,%zz", None),
            ("data:;base64,*", None),
            ("https://h/x", None),
            ("data:x", None),
        ] {
            assert_eq!(decode(source, false, 100).as_deref(), expected, "{source}");
        }
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(decode(&data_url(&all), false, 256), Some(all.clone()));
        assert_eq!(decode(&data_url(&all), false, 255), None);
    }

    #[test]
    fn rec_14_a_packed_file_is_unpacked_within_bounds() {
        let pack = |bytes: &[u8]| {
            let mut packer = flate2::write::GzEncoder::new(vec![], flate2::Compression::best());
            packer.write_all(bytes).unwrap();
            data_url(&packer.finish().unwrap())
        };
        assert_eq!(decode(&pack(b"hello"), true, 100).as_deref(), Some(&b"hello"[..]));
        assert_eq!(decode(&pack(&vec![0; 8 << 20]), true, 1 << 20), None);
        assert_eq!(decode("data:,hello", true, 100), None);
    }
}
