//! Random names, from the system each time: a generator of our own would go on with the same numbers in a parent and in
//! the child that it forked.

use rand::TryRng;
use rand::rngs::SysRng;

/// 64 random bits. If the system has none to give, the process at least tells a parent from its child.
pub(super) fn number() -> u64 {
    SysRng
        .try_next_u64()
        .unwrap_or_else(|_| u64::from(std::process::id()))
}

/// 128 random bits as small letters and digits.
pub(super) fn base32_128() -> String {
    format!("{}{}", base32(number()), base32(number()))
}

/// Small letters and digits, the most significant first: what is made of them is compared and read aloud by people.
pub(super) fn base32(mut number: u64) -> String {
    const DIGITS: [char; 32] = [
        'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm', 'n', 'o', 'p', 'q', 'r', 's', 't',
        'u', 'v', 'w', 'x', 'y', 'z', '2', '3', '4', '5', '6', '7',
    ];
    let mut digits = Vec::with_capacity(13);
    loop {
        digits.push(DIGITS[(number % 32) as usize]);
        number /= 32;
        if number == 0 {
            return digits.into_iter().rev().collect();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base32_of_the_ends() {
        assert_eq!(base32(0), "a");
        assert_eq!(base32(32), "ba");
        assert_eq!(base32(u64::MAX), "p777777777777");
    }
}
