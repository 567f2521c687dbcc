//! Patterns as `KEYS`, `SCAN MATCH` and `CONFIG GET` take them: `*`, `?`, `[abc]`, `[^a-z]`, and `\`
//! before a byte that stands for itself. They match bytes, not characters.

/// Whether all of the text fits the pattern. It takes time in proportion to the product of their
/// lengths at worst: only the last `*` is ever gone back to.
pub(super) fn fits(pattern: &[u8], text: &[u8]) -> bool {
    let (mut at, mut read) = (0, 0);
    // The last `*`, and how much of the text it had taken.
    let mut star: Option<(usize, usize)> = None;
    while read < text.len() {
        if pattern.get(at) == Some(&b'*') {
            star = Some((at, read));
            at += 1;
            continue;
        }
        if let Some(length) = fits_one(&pattern[at..], text[read]) {
            (at, read) = (at + length, read + 1);
            continue;
        }
        let Some((back, taken)) = star else { return false };
        star = Some((back, taken + 1));
        (at, read) = (back + 1, taken + 1);
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

/// What every text begins with that fits.
pub(super) fn literal_prefix(pattern: &[u8]) -> &[u8] {
    let special = |byte: &u8| matches!(byte, b'*' | b'?' | b'[' | b'\\');
    &pattern[..pattern.iter().position(special).unwrap_or(pattern.len())]
}

/// The length of the pattern's first part, if the byte fits it.
fn fits_one(pattern: &[u8], byte: u8) -> Option<usize> {
    match pattern {
        [] => None,
        [b'?', ..] => Some(1),
        [b'\\', escaped, ..] => (*escaped == byte).then_some(2),
        [b'[', set @ ..] => {
            let (length, fits) = fits_set(set, byte);
            fits.then_some(1 + length)
        }
        [literal, ..] => (*literal == byte).then_some(1),
    }
}

/// The length of a set behind its bracket, and whether the byte is in it. A set that is never
/// closed ends with the pattern.
fn fits_set(set: &[u8], byte: u8) -> (usize, bool) {
    let negated = set.first() == Some(&b'^');
    let mut at = usize::from(negated);
    let mut found = false;
    while at < set.len() && set[at] != b']' {
        match &set[at..] {
            [b'\\', escaped, ..] => {
                found |= *escaped == byte;
                at += 2;
            }
            [first, b'-', last, ..] if *last != b']' => {
                let (low, high) = (first.min(last), first.max(last));
                found |= (low..=high).contains(&&byte);
                at += 3;
            }
            [one, ..] => {
                found |= *one == byte;
                at += 1;
            }
            [] => break,
        }
    }
    ((at + 1).min(set.len()), found != negated)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_fit_as_in_redis() {
        let yes: [(&str, &str); 14] = [
            ("*", ""),
            ("", ""),
            ("h?llo", "hello"),
            ("h*llo", "heeeello"),
            ("h*l*o", "hello, hello"),
            ("h[ae]llo", "hallo"),
            ("h[^e]llo", "hbllo"),
            ("h[b-a]llo", "hbllo"),
            ("user:*:name", "user:a:b:name"),
            ("a\\*b", "a*b"),
            ("[\\]]", "]"),
            ("**a**", "bab"),
            ("[a", "a"),
            ("a[-z]", "a-"),
        ];
        for (pattern, text) in yes {
            assert!(fits(pattern.as_bytes(), text.as_bytes()), "{pattern} {text}");
        }
        let no = [
            ("", "a"),
            ("h?llo", "hllo"),
            ("h[ae]llo", "hillo"),
            ("h[^e]llo", "hello"),
            ("a\\*b", "acb"),
            ("*a", "ab"),
            ("user:*:name", "user:a:names"),
            ("[", "["),
        ];
        for (pattern, text) in no {
            assert!(!fits(pattern.as_bytes(), text.as_bytes()), "{pattern} {text}");
        }
    }

    #[test]
    fn the_worst_pattern_takes_no_exponential_time() {
        let pattern = "a*".repeat(200) + "b";
        assert!(!fits(pattern.as_bytes(), "a".repeat(2_000).as_bytes()));
    }

    #[test]
    fn what_stands_before_the_first_sign_is_a_prefix() {
        assert_eq!(literal_prefix(b"user:*"), b"user:");
        assert_eq!(literal_prefix(b"*"), b"");
        assert_eq!(literal_prefix(b"a\\*b"), b"a");
        assert_eq!(literal_prefix(b"plain"), b"plain");
    }
}
