//! Understanding a schema, once, when it is loaded: whatever is not understood is an error.

use std::collections::BTreeMap;

use regex_lite::Regex;
use serde_json::{Map, Value};

use super::number::Number;
use super::{Bound, Node, Place, Properties, Rule, Type, deeper};

/// The nodes of a schema, the schema itself first.
pub(super) fn compile(root: &Value) -> Result<Vec<Node>, String> {
    let mut compiler = Compiler { root, nodes: Vec::new(), places: BTreeMap::new(), unread: Vec::new() };
    compiler.place(String::new())?;
    while let Some((place, pointer)) = compiler.unread.pop() {
        let schema = root.pointer(&pointer).ok_or_else(|| format!("{pointer}: there is nothing"))?;
        compiler.nodes[place].rules = compiler.rules(schema, &pointer)?;
    }
    match endless(&compiler.nodes) {
        None => Ok(compiler.nodes),
        Some(place) => {
            let at = compiler.places.iter().find(|(_, known)| **known == place);
            let pointer = at.map_or("", |(pointer, _)| pointer);
            Err(format!("#{pointer}: refers to itself without looking any deeper"))
        }
    }
}

struct Compiler<'s> {
    root: &'s Value,
    nodes: Vec<Node>,
    /// Which JSON pointers have a place.
    places: BTreeMap<String, Place>,
    /// Places whose schema was not looked at yet.
    unread: Vec<(Place, String)>,
}

/// The keywords of one schema object.
struct Keywords<'s> {
    object: &'s Map<String, Value>,
    pointer: &'s str,
}

impl Compiler<'_> {
    /// The place of the schema with this pointer.
    fn place(&mut self, pointer: String) -> Result<Place, String> {
        if let Some(place) = self.places.get(&pointer) {
            return Ok(*place);
        }
        let place = self.nodes.len();
        if place >= NODES_MAX {
            return Err(format!("a schema has at most {NODES_MAX} schemas in it"));
        }
        self.nodes.push(Node::default());
        self.places.insert(pointer.clone(), place);
        self.unread.push((place, pointer));
        Ok(place)
    }

    fn rules(&mut self, schema: &Value, pointer: &str) -> Result<Vec<Rule>, String> {
        match schema {
            Value::Bool(true) => Ok(Vec::new()),
            Value::Bool(false) => Ok(vec![Rule::Never]),
            Value::Object(object) => {
                let keywords = Keywords { object, pointer };
                let mut rules = Vec::new();
                for (keyword, value) in object {
                    rules.extend(self.rule(keyword, value, &keywords)?);
                }
                // Of several failures the first is told, and that something else was sent says most.
                rules.sort_by_key(|rule| !matches!(rule, Rule::Type(_)));
                Ok(rules)
            }
            _ => Err(format!("#{pointer}: a schema is an object, true or false")),
        }
    }

    /// What one keyword says. Those that belong together are read where the first of them, by name, stands.
    fn rule(&mut self, keyword: &str, value: &Value, all: &Keywords<'_>) -> Result<Option<Rule>, String> {
        Ok(Some(match keyword {
            "type" => Rule::Type(types(value).ok_or_else(|| all.wrong(keyword, "a type or a list of types"))?),
            "enum" => Rule::Enum(value.as_array().ok_or_else(|| all.wrong(keyword, "a list"))?.clone()),
            "const" => Rule::Const(value.clone()),
            "minimum" => Rule::Number(Bound::Minimum, all.number(keyword)?),
            "maximum" => Rule::Number(Bound::Maximum, all.number(keyword)?),
            "exclusiveMinimum" => Rule::Number(Bound::ExclusiveMinimum, all.number(keyword)?),
            "exclusiveMaximum" => Rule::Number(Bound::ExclusiveMaximum, all.number(keyword)?),
            "multipleOf" => {
                let unit = all.number(keyword)?;
                if !unit.is_positive() {
                    return Err(all.wrong(keyword, "a number above 0"));
                }
                Rule::MultipleOf(unit)
            }
            "minLength" | "maxLength" => {
                let (min, max) = all.range("minLength", "maxLength")?;
                Rule::Length { min, max }
            }
            "pattern" => Rule::Pattern(Box::new(all.regex(keyword, value)?)),
            "minItems" | "maxItems" => {
                let (min, max) = all.range("minItems", "maxItems")?;
                Rule::ItemCount { min, max }
            }
            "minProperties" | "maxProperties" => {
                let (min, max) = all.range("minProperties", "maxProperties")?;
                Rule::PropertyCount { min, max }
            }
            "uniqueItems" => match value.as_bool() {
                Some(true) => Rule::Unique,
                Some(false) => return Ok(None),
                None => return Err(all.wrong(keyword, "true or false")),
            },
            "required" => Rule::Required(all.names(keyword, value)?),
            "dependentRequired" => {
                Rule::DependentRequired(all.entries(keyword, value, |names| all.names(keyword, names))?)
            }
            _ => return self.applicator(keyword, value, all),
        }))
    }

    /// What a keyword says that has schemas in it.
    fn applicator(&mut self, keyword: &str, value: &Value, all: &Keywords<'_>) -> Result<Option<Rule>, String> {
        Ok(Some(match keyword {
            "allOf" => Rule::AllOf(self.list(keyword, value, all)?),
            "anyOf" => Rule::AnyOf(self.list(keyword, value, all)?),
            "oneOf" => Rule::OneOf(self.list(keyword, value, all)?),
            "not" => Rule::Not(self.place(all.at(keyword))?),
            "if" => Rule::If {
                condition: self.place(all.at("if"))?,
                then: self.beside("then", all)?,
                otherwise: self.beside("else", all)?,
            },
            "items" if value.is_array() => {
                return Err(all.wrong(keyword, "a schema; a list of schemas is called prefixItems in draft 2020-12"));
            }
            "prefixItems" | "items" if keyword == "prefixItems" || !all.has("prefixItems") => Rule::Items {
                prefix: match all.object.get("prefixItems") {
                    Some(list) => self.list("prefixItems", list, all)?,
                    None => Vec::new(),
                },
                rest: self.beside("items", all)?,
            },
            "contains" => {
                let (min, max) = all.range("minContains", "maxContains")?;
                let min = if all.has("minContains") { min } else { 1 };
                Rule::Contains { place: self.place(all.at(keyword))?, min, max }
            }
            "propertyNames" => Rule::PropertyNames(self.place(all.at(keyword))?),
            "dependentSchemas" => Rule::DependentSchemas(self.table(keyword, value, all)?),
            "properties" | "patternProperties" | "additionalProperties" if all.is_first(keyword, OF_PROPERTIES) => {
                Rule::Properties(Box::new(self.properties(all)?))
            }
            "$ref" => Rule::Ref(self.reference(value, all)?),
            "$defs" | "definitions" => {
                self.table(keyword, value, all)?;
                return Ok(None);
            }
            _ => return all.without_rule(keyword, value).map(|()| None),
        }))
    }

    fn properties(&mut self, all: &Keywords<'_>) -> Result<Properties, String> {
        let named = match all.object.get("properties") {
            Some(value) => self.table("properties", value, all)?,
            None => Vec::new(),
        };
        let mut patterns = Vec::new();
        if let Some(value) = all.object.get("patternProperties") {
            for (pattern, place) in self.table("patternProperties", value, all)? {
                patterns.push((all.regex("patternProperties", &Value::String(pattern))?, place));
            }
        }
        Ok(Properties { named, patterns, additional: self.beside("additionalProperties", all)? })
    }

    fn list(&mut self, keyword: &str, value: &Value, all: &Keywords<'_>) -> Result<Vec<Place>, String> {
        let list = value.as_array().filter(|list| !list.is_empty());
        let count = list.ok_or_else(|| all.wrong(keyword, "a list of one schema or more"))?.len();
        (0..count).map(|index| self.place(deeper(&all.at(keyword), &index.to_string()))).collect()
    }

    fn table(&mut self, keyword: &str, value: &Value, all: &Keywords<'_>) -> Result<Vec<(String, Place)>, String> {
        let table = value.as_object().ok_or_else(|| all.wrong(keyword, "an object of schemas"))?;
        table.keys().map(|name| Ok((name.clone(), self.place(deeper(&all.at(keyword), name))?))).collect()
    }

    fn beside(&mut self, keyword: &str, all: &Keywords<'_>) -> Result<Option<Place>, String> {
        if all.has(keyword) { self.place(all.at(keyword)).map(Some) } else { Ok(None) }
    }

    fn reference(&mut self, value: &Value, all: &Keywords<'_>) -> Result<Place, String> {
        let local = value.as_str().and_then(|text| text.strip_prefix('#')).and_then(decoded);
        let local = local.filter(|pointer| pointer.is_empty() || pointer.starts_with('/'));
        let pointer = local.ok_or_else(|| all.wrong("$ref", "a place in this schema, such as \"#/$defs/name\""))?;
        if self.root.pointer(&pointer).is_none() {
            return Err(all.wrong("$ref", "a place that is there"));
        }
        self.place(pointer)
    }
}

impl Keywords<'_> {
    fn has(&self, keyword: &str) -> bool {
        self.object.contains_key(keyword)
    }

    /// Whether none of `group` that stands before `keyword` there is in this schema.
    fn is_first(&self, keyword: &str, group: &[&str]) -> bool {
        group.iter().find(|one| self.has(one)).is_some_and(|first| *first == keyword)
    }

    fn at(&self, keyword: &str) -> String {
        deeper(self.pointer, keyword)
    }

    fn wrong(&self, keyword: &str, expected: &str) -> String {
        let value = self.object.get(keyword).map(Value::to_string).unwrap_or_default();
        let shown: String = value.chars().take(SHOWN_MAX).collect();
        format!("#{}: {shown} is not {expected}", self.at(keyword))
    }

    fn number(&self, keyword: &str) -> Result<Number, String> {
        let number = self.object.get(keyword).and_then(Value::as_number).map(Number::of);
        number.ok_or_else(|| self.wrong(keyword, "a number"))
    }

    /// Two keywords for the least and the most; those that are not there allow everything.
    fn range(&self, least: &str, most: &str) -> Result<(u64, u64), String> {
        let count = |keyword: &str, otherwise| match self.object.get(keyword) {
            None => Ok(otherwise),
            Some(value) => match value.as_number().map(Number::of) {
                Some(Number::Whole(whole)) => u64::try_from(whole).ok(),
                _ => None,
            }
            .ok_or_else(|| self.wrong(keyword, "a whole number of 0 or more")),
        };
        Ok((count(least, 0)?, count(most, u64::MAX)?))
    }

    fn regex(&self, keyword: &str, value: &Value) -> Result<Regex, String> {
        let text = value.as_str().ok_or_else(|| self.wrong(keyword, "a regular expression"))?;
        Regex::new(text).map_err(|why| format!("#{}: {text:?}: {why}", self.at(keyword)))
    }

    fn names(&self, keyword: &str, value: &Value) -> Result<Vec<String>, String> {
        let name = |value: &Value| value.as_str().map(str::to_owned);
        let names = value.as_array().and_then(|list| list.iter().map(name).collect());
        names.ok_or_else(|| self.wrong(keyword, "a list of names"))
    }

    fn entries<T>(
        &self,
        keyword: &str,
        value: &Value,
        each: impl Fn(&Value) -> Result<T, String>,
    ) -> Result<Vec<(String, T)>, String> {
        let table = value.as_object().ok_or_else(|| self.wrong(keyword, "an object"))?;
        table.iter().map(|(name, value)| Ok((name.clone(), each(value)?))).collect()
    }

    /// A keyword that makes no rule of its own: one that another has read, one that only describes, or one that is not
    /// known.
    fn without_rule(&self, keyword: &str, value: &Value) -> Result<(), String> {
        match keyword {
            "properties" | "patternProperties" | "additionalProperties" | "items" => Ok(()),
            "then" | "else" if self.has("if") => Ok(()),
            "then" | "else" => Err(format!("#{}: without `if` it says nothing", self.at(keyword))),
            "minContains" | "maxContains" if self.has("contains") => Ok(()),
            "minContains" | "maxContains" => Err(format!("#{}: without `contains` it says nothing", self.at(keyword))),
            "$schema" if value.as_str().is_some_and(|text| DRAFTS.contains(&text.trim_end_matches('#'))) => Ok(()),
            "$schema" => {
                Err(self.wrong(keyword, "a draft that is known; \"https://json-schema.org/draft/2020-12/schema\" is"))
            }
            "$id" if self.pointer.is_empty() => Ok(()),
            _ if DESCRIBING.contains(&keyword) || keyword.starts_with("x-") => Ok(()),
            _ => Err(format!("#{}: this keyword is not known here; README.md lists those that are", self.at(keyword))),
        }
    }
}

fn types(value: &Value) -> Option<Vec<Type>> {
    let one = |value: &Value| Type::ALL.into_iter().find(|one| value.as_str() == Some(one.name()));
    match value {
        Value::Array(list) if !list.is_empty() => list.iter().map(one).collect(),
        value => one(value).map(|one| vec![one]),
    }
}

/// A fragment without its percent signs.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let mut digit = || char::from(rest.next()?).to_digit(16);
            bytes.push(u8::try_from(digit()? * 16 + digit()?).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

/// A schema that comes back to itself for one and the same value, which would never end.
fn endless(nodes: &[Node]) -> Option<Place> {
    let mut states = vec![State::New; nodes.len()];
    for start in 0..nodes.len() {
        let mut path = vec![(start, false)];
        while let Some((place, is_left)) = path.pop() {
            match (is_left, states[place]) {
                (true, _) => states[place] = State::Done,
                (false, State::Done) => {}
                (false, State::Open) => return Some(place),
                (false, State::New) => {
                    states[place] = State::Open;
                    path.push((place, true));
                    path.extend(nodes[place].rules.iter().flat_map(Rule::in_place).map(|next| (next, false)));
                }
            }
        }
    }
    None
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    New,
    Open,
    Done,
}

impl Rule {
    /// The schemas that the same value is checked against.
    fn in_place(&self) -> Vec<Place> {
        match self {
            Self::AllOf(places) | Self::AnyOf(places) | Self::OneOf(places) => places.clone(),
            Self::Not(place) | Self::Ref(place) => vec![*place],
            Self::If { condition, then, otherwise } => {
                [Some(*condition), *then, *otherwise].into_iter().flatten().collect()
            }
            Self::DependentSchemas(of) => of.iter().map(|(_, place)| *place).collect(),
            _ => Vec::new(),
        }
    }
}

const NODES_MAX: usize = 10_000;
const SHOWN_MAX: usize = 60;
const OF_PROPERTIES: &[&str] = &["properties", "patternProperties", "additionalProperties"];
/// Keywords that describe and check nothing.
const DESCRIBING: &[&str] = &[
    "title",
    "description",
    "default",
    "examples",
    "deprecated",
    "readOnly",
    "writeOnly",
    "$comment",
    "format",
    "contentMediaType",
    "contentEncoding",
    "contentSchema",
];
/// What is read as 2020-12; keywords that mean something else in the older ones are refused.
const DRAFTS: &[&str] = &[
    "https://json-schema.org/draft/2020-12/schema",
    "https://json-schema.org/draft/2019-09/schema",
    "http://json-schema.org/draft-07/schema",
    "http://json-schema.org/draft-06/schema",
];
