//! Whether a value is as a schema says.

use std::cmp::Ordering;

use serde_json::{Map, Value};

use super::number::{Number, same};
use super::{Bound, Failure, Node, Place, Properties, Rule, Type, deeper};

/// Checks a value against the first node.
pub(super) fn check(nodes: &[Node], value: &Value) -> Result<(), Failure> {
    Check { nodes }.node(0, value, "")
}

struct Check<'n> {
    nodes: &'n [Node],
}

impl Check<'_> {
    fn node(&self, place: Place, value: &Value, pointer: &str) -> Result<(), Failure> {
        self.nodes[place].rules.iter().try_for_each(|rule| self.rule(rule, value, pointer))
    }

    fn is(&self, place: Place, value: &Value, pointer: &str) -> bool {
        self.node(place, value, pointer).is_ok()
    }

    fn rule(&self, rule: &Rule, value: &Value, pointer: &str) -> Result<(), Failure> {
        let failure = |keyword, what: String| Err(Failure { pointer: pointer.to_owned(), keyword, what });
        match rule {
            Rule::Never => failure("false", "nothing may be here".to_owned()),
            Rule::Type(types) if !types.iter().any(|one| one.is(value)) => failure(
                "type",
                format!("must be {}", types.iter().map(|one| one.name()).collect::<Vec<_>>().join(" or ")),
            ),
            Rule::Enum(values) if !values.iter().any(|one| same(one, value)) => failure("enum", String::new()),
            Rule::Const(one) if !same(one, value) => failure("const", String::new()),
            Rule::AllOf(places) => places.iter().try_for_each(|place| self.node(*place, value, pointer)),
            Rule::AnyOf(places) if !places.iter().any(|place| self.is(*place, value, pointer)) => {
                failure("anyOf", String::new())
            }
            Rule::OneOf(places) => match places.iter().filter(|place| self.is(**place, value, pointer)).count() {
                1 => Ok(()),
                count => failure("oneOf", format!("{count} of {} fit", places.len())),
            },
            Rule::Not(place) if self.is(*place, value, pointer) => failure("not", String::new()),
            Rule::If { condition, then, otherwise } => {
                let next = if self.is(*condition, value, pointer) { then } else { otherwise };
                next.map_or(Ok(()), |place| self.node(place, value, pointer))
            }
            Rule::Ref(place) => self.node(*place, value, pointer),
            rule => match value {
                Value::Number(number) => number_rule(rule, Number::of(number), pointer),
                Value::String(text) => text_rule(rule, text, pointer),
                Value::Array(items) => self.array_rule(rule, items, pointer),
                Value::Object(object) => self.object_rule(rule, value, object, pointer),
                Value::Null | Value::Bool(_) => Ok(()),
            },
        }
    }

    fn array_rule(&self, rule: &Rule, items: &[Value], pointer: &str) -> Result<(), Failure> {
        let at = |index: usize| deeper(pointer, &index.to_string());
        match rule {
            Rule::Items { prefix, rest } => items.iter().enumerate().try_for_each(|(index, item)| {
                let place = prefix.get(index).copied().or(*rest);
                place.map_or(Ok(()), |place| self.node(place, item, &at(index)))
            }),
            Rule::ItemCount { min, max } => count(items.len(), *min, *max, pointer, ("minItems", "maxItems")),
            Rule::Unique => {
                let is_repeated = |(index, item)| items[..index].iter().any(|before| same(before, item));
                match items.iter().enumerate().position(is_repeated) {
                    Some(index) => Err(Failure { pointer: at(index), keyword: "uniqueItems", what: String::new() }),
                    None => Ok(()),
                }
            }
            Rule::Contains { place, min, max } => {
                let found = items.iter().enumerate().filter(|(index, item)| self.is(*place, item, &at(*index))).count();
                let least = if *min == 1 { "contains" } else { "minContains" };
                count(found, *min, *max, pointer, (least, "maxContains"))
            }
            _ => Ok(()),
        }
    }

    fn object_rule(
        &self,
        rule: &Rule,
        value: &Value,
        object: &Map<String, Value>,
        pointer: &str,
    ) -> Result<(), Failure> {
        let missing = |keyword, names: &[String]| match names.iter().find(|name| !object.contains_key(*name)) {
            Some(name) => Err(Failure { pointer: pointer.to_owned(), keyword, what: format!("{name:?} is missing") }),
            None => Ok(()),
        };
        match rule {
            Rule::Properties(properties) => self.properties(properties, object, pointer),
            Rule::PropertyCount { min, max } => {
                count(object.len(), *min, *max, pointer, ("minProperties", "maxProperties"))
            }
            Rule::PropertyNames(place) => object.keys().try_for_each(|name| {
                let checked = self.node(*place, &Value::String(name.clone()), "");
                checked.map_err(|why| Failure {
                    pointer: deeper(pointer, name),
                    keyword: "propertyNames",
                    what: format!("its name breaks {}", why.keyword),
                })
            }),
            Rule::Required(names) => missing("required", names),
            Rule::DependentRequired(of) => {
                let mut asked = of.iter().filter(|(name, _)| object.contains_key(name));
                asked.try_for_each(|(_, names)| missing("dependentRequired", names))
            }
            Rule::DependentSchemas(of) => {
                let mut asked = of.iter().filter(|(name, _)| object.contains_key(name));
                asked.try_for_each(|(_, place)| self.node(*place, value, pointer))
            }
            _ => Ok(()),
        }
    }

    fn properties(&self, of: &Properties, object: &Map<String, Value>, pointer: &str) -> Result<(), Failure> {
        for (name, value) in object {
            let at = deeper(pointer, name);
            let mut is_known = false;
            if let Some((_, place)) = of.named.iter().find(|(known, _)| known == name) {
                is_known = true;
                self.node(*place, value, &at)?;
            }
            for (_, place) in of.patterns.iter().filter(|(pattern, _)| pattern.is_match(name)) {
                is_known = true;
                self.node(*place, value, &at)?;
            }
            if let Some(place) = of.additional.filter(|_| !is_known) {
                let checked = self.node(place, value, &at);
                checked.map_err(|why| match why.keyword {
                    "false" if why.pointer == at => {
                        Failure { keyword: "additionalProperties", what: "it is not expected".to_owned(), ..why }
                    }
                    _ => why,
                })?;
            }
        }
        Ok(())
    }
}

fn number_rule(rule: &Rule, number: Number, pointer: &str) -> Result<(), Failure> {
    let failure = |keyword, what: String| Err(Failure { pointer: pointer.to_owned(), keyword, what });
    match rule {
        Rule::Number(bound, limit) if !bound.holds(number, *limit) => {
            let (keyword, words) = bound.words();
            failure(keyword, format!("must be {words} {limit}"))
        }
        Rule::MultipleOf(unit) if !number.is_multiple_of(*unit) => {
            failure("multipleOf", format!("must be a multiple of {unit}"))
        }
        _ => Ok(()),
    }
}

fn text_rule(rule: &Rule, text: &str, pointer: &str) -> Result<(), Failure> {
    match rule {
        Rule::Length { min, max } => count(text.chars().count(), *min, *max, pointer, ("minLength", "maxLength")),
        Rule::Pattern(pattern) if !pattern.is_match(text) => {
            Err(Failure { pointer: pointer.to_owned(), keyword: "pattern", what: String::new() })
        }
        _ => Ok(()),
    }
}

fn count(
    count: usize,
    min: u64,
    max: u64,
    pointer: &str,
    (least, most): (&'static str, &'static str),
) -> Result<(), Failure> {
    let failure = |keyword, words, limit| {
        Err(Failure { pointer: pointer.to_owned(), keyword, what: format!("{count} is {words} than {limit}") })
    };
    match count as u64 {
        count if count < min => failure(least, "less", min),
        count if count > max => failure(most, "more", max),
        _ => Ok(()),
    }
}

impl Type {
    fn is(self, value: &Value) -> bool {
        match value {
            Value::Null => self == Self::Null,
            Value::Bool(_) => self == Self::Boolean,
            Value::Object(_) => self == Self::Object,
            Value::Array(_) => self == Self::Array,
            Value::String(_) => self == Self::String,
            Value::Number(number) => self == Self::Number || (self == Self::Integer && Number::of(number).is_whole()),
        }
    }

    pub(super) const ALL: [Self; 7] =
        [Self::Null, Self::Boolean, Self::Object, Self::Array, Self::Number, Self::Integer, Self::String];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Boolean => "boolean",
            Self::Object => "object",
            Self::Array => "array",
            Self::Number => "number",
            Self::Integer => "integer",
            Self::String => "string",
        }
    }
}

impl Bound {
    fn holds(self, number: Number, limit: Number) -> bool {
        let order = number.compare(limit);
        match self {
            Self::Minimum => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
            Self::Maximum => matches!(order, Some(Ordering::Less | Ordering::Equal)),
            Self::ExclusiveMinimum => order == Some(Ordering::Greater),
            Self::ExclusiveMaximum => order == Some(Ordering::Less),
        }
    }

    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Minimum => ("minimum", "at least"),
            Self::Maximum => ("maximum", "at most"),
            Self::ExclusiveMinimum => ("exclusiveMinimum", "more than"),
            Self::ExclusiveMaximum => ("exclusiveMaximum", "less than"),
        }
    }
}
