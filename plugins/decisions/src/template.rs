//! Text with places in it that are filled in: `devices/%{sub}/#`.

use serde::Deserialize;

use crate::filter::is_level;

/// Text in which `%{NAME}` stands for a value. Every other `%` is itself.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Template(Vec<Piece>);

/// What stands for the names in a template.
pub trait Values {
    /// All values of this name, in order; none when there is no such thing.
    fn values(&self, name: &str) -> Vec<String>;
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Name(String),
}

/// The most filters that one template becomes.
const FILLED_MAX: usize = 256;

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// A `%{` without its end, or without a name.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("%{") {
            let (name, after) = after.split_once('}').ok_or_else(|| format!("`{text}`: %{{ without }}"))?;
            if name.is_empty() {
                return Err(format!("`{text}`: %{{}} names nothing"));
            }
            if !before.is_empty() {
                pieces.push(Piece::Text(before.to_owned()));
            }
            pieces.push(Piece::Name(name.to_owned()));
            rest = after;
        }
        if !rest.is_empty() {
            pieces.push(Piece::Text(rest.to_owned()));
        }
        Ok(Self(pieces))
    }

    /// The names in it.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|piece| match piece {
            Piece::Text(_) => None,
            Piece::Name(name) => Some(name.as_str()),
        })
    }

    /// The text, filled in. A name with several values has the first.
    ///
    /// # Errors
    /// The name that has no value, or an empty one.
    pub fn text(&self, values: &dyn Values) -> Result<String, &str> {
        let mut text = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Text(part) => text.push_str(part),
                Piece::Name(name) => {
                    let value = values.values(name).into_iter().next().filter(|value| !value.is_empty());
                    text.push_str(&value.ok_or(name.as_str())?);
                }
            }
        }
        Ok(text)
    }

    /// Topic filters, one for each value of a name that has several. A value that could act as more than one level, and a
    /// filter that only its values make one of `$…`, is left out: so may be all.
    #[must_use]
    pub fn filters(&self, values: &dyn Values) -> Filters {
        let mut filled = vec![String::new()];
        let mut is_complete = true;
        for piece in &self.0 {
            match piece {
                Piece::Text(part) => filled.iter_mut().for_each(|filter| filter.push_str(part)),
                Piece::Name(name) => {
                    let all = values.values(name);
                    let usable: Vec<&String> = all.iter().filter(|value| is_level(value)).collect();
                    is_complete &= !all.is_empty() && usable.len() == all.len();
                    filled = filled
                        .iter()
                        .flat_map(|before| usable.iter().map(move |value| format!("{before}{value}")))
                        .take(FILLED_MAX + 1)
                        .collect();
                }
            }
        }
        let starts_with_text = matches!(self.0.first(), Some(Piece::Text(_)));
        let count = filled.len();
        filled.retain(|filter| starts_with_text || !filter.starts_with('$'));
        is_complete &= count == filled.len() && count <= FILLED_MAX;
        filled.truncate(FILLED_MAX);
        Filters { filled, is_complete }
    }
}

/// What a template became.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filters {
    /// Topic filters.
    pub filled: Vec<String>,
    /// Whether every name had values, and all of them could be used.
    pub is_complete: bool,
}

impl TryFrom<String> for Template {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail")]

    use super::*;

    struct Facts;

    impl Values for Facts {
        fn values(&self, name: &str) -> Vec<String> {
            let values: &[&str] = match name {
                "sub" => &["alice"],
                "groups" => &["a", "b/c", "d"],
                "system" => &["$SYS"],
                "empty" => &[""],
                "many" => return (0..300).map(|number| number.to_string()).collect(),
                _ => &[],
            };
            values.iter().map(|value| (*value).to_owned()).collect()
        }
    }

    fn text(template: &str) -> Result<String, String> {
        Template::parse(template).unwrap().text(&Facts).map_err(str::to_owned)
    }

    fn filters(template: &str) -> (Vec<String>, bool) {
        let Filters { filled, is_complete } = Template::parse(template).unwrap().filters(&Facts);
        (filled, is_complete)
    }

    #[test]
    fn names_are_filled_in_and_other_signs_stay() {
        assert_eq!(text("user-%{sub}-100%"), Ok("user-alice-100%".to_owned()));
        assert_eq!(text("%{groups}"), Ok("a".to_owned()));
        assert_eq!(text("%c%{"[..2].trim()), Ok("%c".to_owned()));
        assert_eq!(text("%{nobody}"), Err("nobody".to_owned()));
        assert_eq!(text("%{empty}"), Err("empty".to_owned()));
    }

    #[test]
    fn a_template_that_does_not_end_is_refused() {
        assert!(Template::parse("a/%{sub").is_err_and(|why| why.contains("without }")));
        assert!(Template::parse("a/%{}").is_err_and(|why| why.contains("names nothing")));
    }

    #[test]
    fn a_name_with_several_values_makes_several_filters_and_leaves_out_what_is_more_than_a_level() {
        assert_eq!(filters("%u/%{sub}/#"), (vec!["%u/alice/#".to_owned()], true));
        assert_eq!(filters("g/%{groups}"), (vec!["g/a".to_owned(), "g/d".to_owned()], false));
        assert_eq!(filters("%{nobody}/#"), (vec![], false));
        assert_eq!(filters("%{system}/#"), (vec![], false));
        assert_eq!(filters("$%{sub}"), (vec!["$alice".to_owned()], true));
    }

    #[test]
    fn a_template_becomes_so_many_filters_and_no_more() {
        let (filled, is_complete) = filters("%{many}/%{many}");
        assert_eq!((filled.len(), is_complete), (FILLED_MAX, false));
    }
}
