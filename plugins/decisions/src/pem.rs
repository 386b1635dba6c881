//! PEM (RFC 7468).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// A block: its label and what it holds.
pub type Block = (String, Vec<u8>);

/// The blocks of a text, in order. What stands between them is not looked at.
///
/// # Errors
/// A block that does not end, or holds no base64.
pub fn blocks(text: &str) -> Result<Vec<Block>, String> {
    let mut blocks = Vec::new();
    let mut rest = text;
    while let Some((_, after)) = rest.split_once("-----BEGIN ") {
        let (label, after) = after.split_once("-----").ok_or("a PEM block whose first line does not end")?;
        let end = format!("-----END {label}-----");
        let (body, after) = after.split_once(end.as_str()).ok_or_else(|| format!("a PEM block without {end}"))?;
        let body: String = body.split_whitespace().collect();
        let content = STANDARD.decode(body).map_err(|_| format!("a PEM block {label} that is not base64"))?;
        blocks.push((label.to_owned(), content));
        rest = after;
    }
    Ok(blocks)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_read_whatever_stands_between_them() {
        let text = "subject=a\r\n-----BEGIN A-----\r\nYWJj\r\nZA==\r\n-----END A-----\nx\n-----BEGIN B C-----\n-----END B C-----";
        assert_eq!(blocks(text), Ok(vec![("A".to_owned(), b"abcd".to_vec()), ("B C".to_owned(), Vec::new())]));
        assert_eq!(blocks("nothing"), Ok(Vec::new()));
    }

    #[test]
    fn a_block_that_does_not_end_or_is_not_base64_is_named() {
        assert!(blocks("-----BEGIN A").is_err_and(|why| why.contains("does not end")));
        assert!(blocks("-----BEGIN A-----\nYQ==").is_err_and(|why| why.contains("without -----END A-----")));
        assert!(
            blocks("-----BEGIN A-----\nproc-type: 4\n-----END A-----").is_err_and(|why| why.contains("not base64"))
        );
    }
}
