//! Bends bytes the way faults and attackers do, always the same way for the same number. Touches nothing.

/// Values that length, count and offset fields are set to.
const EXTREMES: [u64; 14] = [
    0,
    1,
    2,
    0x7f,
    0xff,
    0x7fff,
    0xffff,
    0x1_0000,
    0x7fff_ffff,
    0xffff_ffff,
    0x1_0000_0000,
    i64::MAX as u64,
    u64::MAX - 511,
    u64::MAX,
];

/// What numbers in a text are replaced by, and what is put between its characters.
const WORDS: [&str; 20] = [
    "0",
    "-1",
    "1e999",
    "4294967296",
    "18446744073709551615",
    "99999999999999999999999999",
    "0x7fffffffffffffff",
    "[[",
    "]]",
    "{\"a\":",
    "}",
    "\"\"\"",
    "\\u0000",
    "\\ud800",
    "\u{0}",
    "\u{feff}",
    "\u{202e}",
    "\r\n",
    "../",
    "-----BEGIN PGP SIGNATURE-----\n",
];

/// No bent input is longer: a copy of one larger is bent only in place.
const LONGEST: usize = 2 << 20;

/// Numbers that look drawn (S. Vigna's SplitMix64).
pub struct Numbers(u64);

impl Numbers {
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`; 0 where that is 0.
    pub const fn below(&mut self, bound: usize) -> usize {
        if bound == 0 { 0 } else { (self.next() % bound as u64) as usize }
    }
}

/// Bends `seed` by the number; `other` is what pieces are taken from.
pub fn bend(seed: &[u8], other: &[u8], number: u64) -> Vec<u8> {
    let mut numbers = Numbers::new(number);
    let mut bytes = seed.to_vec();
    for _ in 0..=numbers.below(4) {
        once(&mut bytes, other, &mut numbers);
    }
    bytes.truncate(LONGEST.max(seed.len()));
    bytes
}

fn once(bytes: &mut Vec<u8>, other: &[u8], numbers: &mut Numbers) {
    let at = place(bytes, numbers);
    match numbers.below(10) {
        0 | 1 => flip(bytes, at, numbers),
        2 | 3 => field(bytes, at, numbers),
        4 => bytes.truncate(at),
        5 => drop(bytes.drain(at..(at + short(numbers)).min(bytes.len()))),
        6 => repeat(bytes, at, numbers),
        7 => splice(bytes, at, other, numbers),
        8 => word(bytes, at, numbers),
        _ => copy(bytes, at, numbers),
    }
}

/// Where to bend: mostly where something stands, or at the beginning.
fn place(bytes: &[u8], numbers: &mut Numbers) -> usize {
    if numbers.below(4) == 0 {
        return numbers.below(bytes.len().min(1024));
    }
    let tries: Vec<_> = (0..16).map(|_| numbers.below(bytes.len())).collect();
    tries.iter().copied().find(|at| bytes.get(*at).is_some_and(|byte| *byte != 0)).unwrap_or(tries[0])
}

fn short(numbers: &mut Numbers) -> usize {
    let most = [4, 32, 512, 4096][numbers.below(4)];
    1 + numbers.below(most)
}

fn flip(bytes: &mut [u8], at: usize, numbers: &mut Numbers) {
    let Some(byte) = bytes.get_mut(at) else { return };
    *byte = match numbers.below(3) {
        0 => *byte ^ (1 << numbers.below(8)),
        1 => EXTREMES[numbers.below(5)] as u8,
        _ => numbers.next() as u8,
    };
}

/// Sets a number of 2, 4 or 8 bytes, in either order, to an extreme or to the file's length and its neighbours.
fn field(bytes: &mut [u8], at: usize, numbers: &mut Numbers) {
    let width = [2, 4, 8][numbers.below(3)];
    let at = if numbers.below(2) == 0 { at / width * width } else { at };
    let length = bytes.len() as u64;
    let value = match numbers.below(4) {
        0 => [length, length + 1, length.saturating_sub(1), length / 512][numbers.below(4)],
        _ => EXTREMES[numbers.below(EXTREMES.len())],
    };
    let (little, big) = (value.to_le_bytes(), value.to_be_bytes());
    let spelt = if numbers.below(2) == 0 { &little[..width] } else { &big[8 - width..] };
    bytes.iter_mut().skip(at).zip(spelt).for_each(|(byte, new)| *byte = *new);
}

fn repeat(bytes: &mut Vec<u8>, at: usize, numbers: &mut Numbers) {
    let piece = bytes[at..(at + short(numbers)).min(bytes.len())].to_vec();
    let times = [1, 2, 16, 200][numbers.below(4)];
    if bytes.len() + piece.len() * times <= LONGEST {
        bytes.splice(at..at, piece.repeat(times));
    }
}

fn splice(bytes: &mut Vec<u8>, at: usize, other: &[u8], numbers: &mut Numbers) {
    let from = numbers.below(other.len());
    let piece = &other[from..(from + short(numbers)).min(other.len())];
    let end = if numbers.below(2) == 0 { at } else { (at + piece.len()).min(bytes.len()) };
    bytes.splice(at..end, piece.iter().copied());
}

/// Replaces the number at or behind a place, or puts a word there.
fn word(bytes: &mut Vec<u8>, at: usize, numbers: &mut Numbers) {
    let word = WORDS[numbers.below(WORDS.len())];
    let digits = |from: usize| bytes[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let number = (at..bytes.len().min(at + 64)).find(|from| digits(*from) > 0).filter(|_| numbers.below(2) == 0);
    let range = number.map_or(at..at, |from| from..from + digits(from));
    let times = [1, 1, 1, 300][numbers.below(4)];
    bytes.splice(range, word.repeat(times).into_bytes());
}

fn copy(bytes: &mut [u8], at: usize, numbers: &mut Numbers) {
    let to = numbers.below(bytes.len());
    let length = short(numbers).min(bytes.len() - at.max(to));
    bytes.copy_within(at..at + length, to);
}
