//! The decoders on good, cut, spoiled and greedy files, made by the libraries' own encoders. Touches nothing.

use std::io::Write;

use liblzma::stream::{Action, Check, Filters, LzmaOptions, Stream};
use zstd_safe::{CCtx, CParameter};

use super::*;

const ALL: [Compression; 3] = [Compression::Xz, Compression::Zstd, Compression::Gzip];

/// Half of it can be compressed.
fn text(length: usize) -> Vec<u8> {
    let noise = |i: usize| (i as u32).wrapping_mul(2_654_435_761).to_be_bytes()[0];
    (0..length).map(|i| if i % 200 < 100 { 0 } else { noise(i) }).collect()
}

fn pack(compression: Compression, bytes: &[u8]) -> Vec<u8> {
    let mut packed = Vec::with_capacity(bytes.len() + 1024);
    match compression {
        Compression::None => packed.extend(bytes),
        Compression::Xz => {
            let mut filters = Filters::new();
            filters.lzma2(&LzmaOptions::new_preset(0).unwrap());
            let mut stream = Stream::new_stream_encoder(&filters, Check::Crc64).unwrap();
            stream.process_vec(bytes, &mut packed, Action::Finish).unwrap();
        }
        Compression::Zstd => {
            let mut context = CCtx::create();
            context.set_parameter(CParameter::ChecksumFlag(true)).unwrap();
            context.compress2(&mut packed, bytes).unwrap();
        }
        Compression::Gzip => {
            let mut encoder = flate2::write::GzEncoder::new(packed, flate2::Compression::fast());
            encoder.write_all(bytes).unwrap();
            packed = encoder.finish().unwrap();
        }
    }
    packed
}

fn unpack_to(compression: Compression, packed: &[u8], limit: u64) -> Result<Vec<u8>, Option<PackedError>> {
    let mut unpacker = Unpacker::new(compression, packed, ByteSize(limit)).unwrap();
    let mut bytes = vec![];
    match unpacker.read_to_end(&mut bytes) {
        Ok(_) => {
            assert_eq!(unpacker.length(), bytes.len() as u64);
            Ok(bytes)
        }
        Err(error) => Err(error.downcast().ok()),
    }
}

fn unpack(compression: Compression, packed: &[u8]) -> Result<Vec<u8>, Option<PackedError>> {
    unpack_to(compression, packed, 1 << 30)
}

fn is_corrupt(result: &Result<Vec<u8>, Option<PackedError>>) -> bool {
    matches!(result, Err(Some(PackedError::Corrupt { .. })))
}

#[test]
fn what_was_packed_comes_out() {
    for length in [0, 1, 1000, 3 << 20] {
        let bytes = text(length);
        for compression in ALL {
            let packed = pack(compression, &bytes);
            assert!(unpack(compression, &packed).unwrap() == bytes, "{compression} {length}");
        }
        assert!(unpack(Compression::None, &bytes).unwrap() == bytes);
    }
}

#[test]
fn img_13_several_members_are_one_file() {
    let (first, second) = (text(1000), text(300_000));
    for compression in ALL {
        let packed = [pack(compression, &first), pack(compression, &[]), pack(compression, &second)].concat();
        assert!(unpack(compression, &packed).unwrap() == [&first[..], &second].concat(), "{compression}");
    }
    // The .xz File Format, 2.2 "Stream Padding"; RFC 8878, 3.1.2 "Skippable Frames".
    let padded = [pack(Compression::Xz, &first), vec![0; 8], pack(Compression::Xz, &second), vec![0; 4]].concat();
    assert!(unpack(Compression::Xz, &padded).unwrap() == [&first[..], &second].concat());
    let skipped = [b"\x50\x2a\x4d\x18\x03\0\0\0abc".to_vec(), pack(Compression::Zstd, &first)].concat();
    assert!(unpack(Compression::Zstd, &skipped).unwrap() == first);
}

#[test]
fn img_13_whatever_follows_the_last_member_is_refused() {
    let bytes = text(1000);
    for compression in ALL {
        for garbage in [&b"x"[..], b"garbage", b"\0", b"\0\0\0\0\0", &pack(compression, &bytes)[..10]] {
            let packed = [&pack(compression, &bytes)[..], garbage].concat();
            let result = unpack(compression, &packed);
            assert!(is_corrupt(&result), "{compression} {garbage:?} {result:?}");
        }
    }
}

#[test]
fn img_13_a_cut_file_is_refused_wherever_it_is_cut() {
    let bytes = text(2000);
    for compression in ALL {
        let packed = pack(compression, &bytes);
        for end in 0..packed.len() {
            let result = unpack(compression, &packed[..end]);
            assert!(is_corrupt(&result), "{compression} cut at {end} of {}: {result:?}", packed.len());
        }
    }
}

#[test]
fn img_13_no_flipped_bit_gives_other_bytes() {
    let bytes = text(700);
    for compression in ALL {
        let packed = pack(compression, &bytes);
        for at in 0..packed.len() * 8 {
            let mut spoiled = packed.clone();
            spoiled[at / 8] ^= 1 << (at % 8);
            let result = unpack(compression, &spoiled);
            assert!(result.as_ref().is_ok_and(|out| *out == bytes) || result.is_err(), "{compression} bit {at}");
            // A larger window, a gzip header's date, the last bits of a deflate block: only xz has a checksum over all.
            assert!(result.is_err() || compression != Compression::Xz, "bit {at}");
        }
    }
}

#[test]
fn img_13_a_bomb_ends_at_the_limit() {
    let zeros = vec![0; 8 << 20];
    for compression in ALL {
        let packed = pack(compression, &zeros);
        assert!(packed.len() < 100_000);
        let result = unpack_to(compression, &packed, (8 << 20) - 1);
        assert!(matches!(result, Err(Some(PackedError::Bomb { .. }))), "{compression}");
        assert!(unpack_to(compression, &packed, 8 << 20).is_ok());
    }
}

/// Makes the first block of an xz file ask for a dictionary of 3 · 2^29 bytes: "LZMA2", "Block Header".
fn xz_that_asks_for_much() -> Vec<u8> {
    let mut packed = pack(Compression::Xz, b"a");
    let size = (usize::from(packed[12]) + 1) * 4;
    let header = &mut packed[12..12 + size];
    assert_eq!(header[2..4], [0x21, 1], "LZMA2 with one byte of properties");
    header[4] = 37;
    let mut crc = flate2::Crc::new();
    crc.update(&header[..size - 4]);
    header[size - 4..].copy_from_slice(&crc.sum().to_le_bytes());
    packed
}

/// Magic, no content size, a window of 2^log bytes, and one raw block: RFC 8878, 3.1.1.1.2 "Window Descriptor".
fn zstd_with_window(log: u8) -> Vec<u8> {
    [&[0x28, 0xb5, 0x2f, 0xfd, 0, (log - 10) << 3], &[9, 0, 0][..], b"a"].concat()
}

#[test]
fn img_13_a_decoder_that_asks_for_too_much_memory_gets_none() {
    let result = unpack(Compression::Xz, &xz_that_asks_for_much());
    assert!(matches!(result, Err(Some(PackedError::Memory { what: Compression::Xz, .. }))), "{result:?}");
    for log in [28, 31, 41] {
        let result = unpack(Compression::Zstd, &zstd_with_window(log));
        assert!(matches!(result, Err(Some(PackedError::Memory { what: Compression::Zstd, .. }))), "{log} {result:?}");
    }
    assert_eq!(unpack(Compression::Zstd, &zstd_with_window(27)).unwrap(), b"a");
}

/// Gives some bytes, then fails in its own way.
struct Breaks<'a>(&'a [u8]);

impl Read for Breaks<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.0.read(buffer)? {
            0 => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the source broke")),
            count => Ok(count),
        }
    }
}

#[test]
fn a_failure_of_the_source_stays_what_it_was() {
    for compression in ALL {
        let packed = pack(compression, &text(100_000));
        for end in [0, 3, packed.len() / 2, packed.len()] {
            let mut unpacker = Unpacker::new(compression, Breaks(&packed[..end]), ByteSize::gib(1)).unwrap();
            let error = unpacker.read_to_end(&mut vec![]).unwrap_err();
            assert_eq!(error.to_string(), "the source broke", "{compression} {end}");
        }
    }
}

#[test]
fn after_a_failure_the_rest_of_the_source_can_be_read() {
    for compression in ALL {
        let packed = [&b"nonsense"[..], &[0; 600_000]].concat();
        let mut unpacker = Unpacker::new(compression, Breaks(&packed), ByteSize::gib(1)).unwrap();
        assert!(unpacker.read(&mut [0; 100]).unwrap_err().downcast::<PackedError>().is_ok());
        assert_eq!(unpacker.exhaust().unwrap_err().to_string(), "the source broke");
    }
}
