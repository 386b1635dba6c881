#![allow(clippy::unwrap_used, reason = "a test may fail")]

use serde_json::json;

use super::*;

fn check(schema: &Value, value: &Value) -> Result<(), String> {
    JsonSchema::of(schema).unwrap().check(value.to_string().as_bytes())
}

/// Each of the first values fits, and each of the others breaks the schema with these words.
fn table(schema: Value, fit: &[Value], break_it: &[(Value, &str)]) {
    for value in fit {
        assert_eq!(check(&schema, value), Ok(()), "{schema} {value}");
    }
    for (value, why) in break_it {
        assert_eq!(check(&schema, value), Err((*why).to_owned()), "{schema} {value}");
    }
}

#[test]
fn types_are_those_of_json_and_a_whole_number_is_an_integer_however_it_is_written() {
    table(
        json!({ "type": "integer" }),
        &[json!(1), json!(1.0), json!(-3), json!(18446744073709551615_u64)],
        &[
            (json!(1.5), "the payload breaks type: must be integer"),
            (json!("1"), "the payload breaks type: must be integer"),
        ],
    );
    table(
        json!({ "type": ["null", "string"] }),
        &[json!(null), json!("")],
        &[(json!(false), "the payload breaks type: must be null or string")],
    );
    for (name, value) in [("object", json!({})), ("array", json!([])), ("boolean", json!(true)), ("number", json!(0.5))]
    {
        table(json!({ "type": name }), &[value], &[(json!("x"), &format!("the payload breaks type: must be {name}"))]);
    }
}

#[test]
fn values_are_compared_by_what_they_are() {
    table(
        json!({ "enum": [1, "a", { "x": [1, 2] }] }),
        &[json!(1.0), json!("a"), json!({ "x": [1.0, 2] })],
        &[(json!({ "x": [2, 1] }), "the payload breaks enum"), (json!(true), "the payload breaks enum")],
    );
    table(json!({ "const": 0 }), &[json!(0.0)], &[(json!(false), "the payload breaks const")]);
}

#[test]
fn numbers_have_bounds_and_steps() {
    table(
        json!({ "minimum": -40, "maximum": 85.5 }),
        &[json!(-40), json!(85.5), json!("text")],
        &[
            (json!(-40.1), "the payload breaks minimum: must be at least -40"),
            (json!(86), "the payload breaks maximum: must be at most 85.5"),
        ],
    );
    table(
        json!({ "exclusiveMinimum": 0, "exclusiveMaximum": 10 }),
        &[json!(0.1), json!(9)],
        &[
            (json!(0), "the payload breaks exclusiveMinimum: must be more than 0"),
            (json!(10), "the payload breaks exclusiveMaximum: must be less than 10"),
        ],
    );
    table(
        json!({ "multipleOf": 0.0001 }),
        &[json!(0.0075), json!(4.5), json!(0)],
        &[(json!(0.00751), "the payload breaks multipleOf: must be a multiple of 0.0001")],
    );
    table(
        json!({ "multipleOf": 2 }),
        &[json!(10)],
        &[(json!(7), "the payload breaks multipleOf: must be a multiple of 2")],
    );
}

#[test]
fn texts_are_counted_in_characters_and_matched_anywhere() {
    table(
        json!({ "minLength": 2, "maxLength": 3, "pattern": "^[a-zü]+" }),
        &[json!("üb"), json!("abc"), json!(7)],
        &[
            (json!("ü"), "the payload breaks minLength: 1 is less than 2"),
            (json!("abcd"), "the payload breaks maxLength: 4 is more than 3"),
            (json!("1a"), "the payload breaks pattern"),
        ],
    );
}

#[test]
fn arrays_have_items_counts_and_contents() {
    table(
        json!({ "prefixItems": [{ "type": "string" }, { "type": "number" }], "items": { "type": "boolean" }, "minItems": 1, "maxItems": 3 }),
        &[json!(["a"]), json!(["a", 1, true])],
        &[
            (json!([1]), "/0 breaks type: must be string"),
            (json!(["a", 1, 2]), "/2 breaks type: must be boolean"),
            (json!([]), "the payload breaks minItems: 0 is less than 1"),
            (json!(["a", 1, true, true]), "the payload breaks maxItems: 4 is more than 3"),
        ],
    );
    table(json!({ "items": false }), &[json!([])], &[(json!([1]), "/0 breaks false: nothing may be here")]);
    table(
        json!({ "uniqueItems": true }),
        &[json!([1, "1", true, { "a": 1 }])],
        &[(json!([{ "a": 1 }, { "a": 1.0 }]), "/1 breaks uniqueItems")],
    );
    table(
        json!({ "contains": { "const": 1 }, "maxContains": 2 }),
        &[json!([1]), json!([0, 1, 1])],
        &[
            (json!([0]), "the payload breaks contains: 0 is less than 1"),
            (json!([1, 1, 1]), "the payload breaks maxContains: 3 is more than 2"),
        ],
    );
    table(json!({ "contains": { "const": 1 }, "minContains": 0 }), &[json!([])], &[]);
}

#[test]
fn objects_have_properties_names_and_dependences() {
    let schema = json!({
        "properties": { "value": { "type": "number" } },
        "patternProperties": { "^x-": { "type": "string" } },
        "additionalProperties": false,
        "required": ["value"],
    });
    table(
        schema,
        &[json!({ "value": 1, "x-unit": "°C" }), json!([])],
        &[
            (json!({ "value": "1" }), "/value breaks type: must be number"),
            (json!({ "value": 1, "x-unit": 1 }), "/x-unit breaks type: must be string"),
            (json!({ "value": 1, "a/b": 1 }), "/a~1b breaks additionalProperties: it is not expected"),
            (json!({}), "the payload breaks required: \"value\" is missing"),
        ],
    );
    table(
        json!({ "additionalProperties": { "type": "object", "additionalProperties": false } }),
        &[json!({ "a": {} })],
        &[(json!({ "a": { "b": 1 } }), "/a/b breaks additionalProperties: it is not expected")],
    );
    table(
        json!({ "propertyNames": { "maxLength": 2 }, "minProperties": 1, "maxProperties": 2 }),
        &[json!({ "ab": 1 })],
        &[
            (json!({ "abc": 1 }), "/abc breaks propertyNames: its name breaks maxLength"),
            (json!({}), "the payload breaks minProperties: 0 is less than 1"),
            (json!({ "a": 1, "b": 1, "c": 1 }), "the payload breaks maxProperties: 3 is more than 2"),
        ],
    );
    table(
        json!({ "dependentRequired": { "a": ["b"] }, "dependentSchemas": { "c": { "required": ["d"] } } }),
        &[json!({ "a": 1, "b": 1 }), json!({ "b": 1 }), json!({ "c": 1, "d": 1 })],
        &[
            (json!({ "a": 1 }), "the payload breaks dependentRequired: \"b\" is missing"),
            (json!({ "c": 1 }), "the payload breaks required: \"d\" is missing"),
        ],
    );
}

#[test]
fn schemas_are_combined() {
    let (small, even) = (json!({ "maximum": 10 }), json!({ "multipleOf": 2 }));
    table(
        json!({ "allOf": [small, even] }),
        &[json!(4)],
        &[(json!(12), "the payload breaks maximum: must be at most 10")],
    );
    table(json!({ "anyOf": [small, even] }), &[json!(3), json!(12)], &[(json!(13), "the payload breaks anyOf")]);
    table(
        json!({ "oneOf": [small, even] }),
        &[json!(3), json!(12)],
        &[(json!(4), "the payload breaks oneOf: 2 of 2 fit")],
    );
    table(json!({ "not": small }), &[json!(11)], &[(json!(1), "the payload breaks not")]);
    table(
        json!({ "if": { "required": ["a"] }, "then": { "required": ["b"] }, "else": { "required": ["c"] } }),
        &[json!({ "a": 1, "b": 1 }), json!({ "c": 1 })],
        &[
            (json!({ "a": 1 }), "the payload breaks required: \"b\" is missing"),
            (json!({}), "the payload breaks required: \"c\" is missing"),
        ],
    );
}

#[test]
fn schemas_refer_to_others_and_to_themselves() {
    let tree = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$ref": "#/$defs/a%20node",
        "$defs": { "a node": { "type": "object", "properties": { "children": { "items": { "$ref": "#" } } } } },
    });
    table(
        tree,
        &[json!({ "children": [{ "children": [] }] })],
        &[(json!({ "children": [{ "children": [1] }] }), "/children/0/children/0 breaks type: must be object")],
    );
}

#[test]
fn what_is_no_json_is_said_to_be_none() {
    let schema = JsonSchema::of(&json!({})).unwrap();
    for payload in [&b"21.5 C"[..], b"", b"{", b"\xff", b"1e999"] {
        let why = schema.check(payload).unwrap_err();
        assert!(why.starts_with("the payload is no JSON: "), "{why}");
    }
    let deep = "[".repeat(1000);
    assert!(schema.check(deep.as_bytes()).is_err());
    assert_eq!(schema.check(b" {} "), Ok(()));
}

#[test]
fn a_schema_that_would_not_check_what_it_says_is_refused_with_the_place() {
    let cases = [
        (json!(1), "#: a schema is an object, true or false"),
        (json!({ "requird": ["a"] }), "#/requird: this keyword is not known here"),
        (json!({ "unevaluatedProperties": false }), "#/unevaluatedProperties: this keyword is not known here"),
        (json!({ "properties": { "a": { "type": "text" } } }), "#/properties/a/type: \"text\" is not a type"),
        (json!({ "items": [{}] }), "#/items: [{}] is not a schema; a list of schemas is called prefixItems"),
        (json!({ "minLength": -1 }), "#/minLength: -1 is not a whole number of 0 or more"),
        (json!({ "multipleOf": 0 }), "#/multipleOf: 0 is not a number above 0"),
        (json!({ "pattern": "(" }), "#/pattern: \"(\": "),
        (json!({ "patternProperties": { "(": {} } }), "#/patternProperties: \"(\": "),
        (json!({ "$ref": "other.json" }), "#/$ref: \"other.json\" is not a place in this schema"),
        (json!({ "$ref": "#/$defs/none" }), "#/$ref: \"#/$defs/none\" is not a place that is there"),
        (
            json!({ "$defs": { "a": { "$ref": "#/$defs/b" }, "b": { "allOf": [{ "$ref": "#/$defs/a" }] } } }),
            "refers to itself without looking any deeper",
        ),
        (json!({ "$ref": "#" }), "#: refers to itself without looking any deeper"),
        (json!({ "then": {} }), "#/then: without `if` it says nothing"),
        (json!({ "maxContains": 1 }), "#/maxContains: without `contains` it says nothing"),
        (json!({ "allOf": [] }), "#/allOf: [] is not a list of one schema or more"),
        (json!({ "$schema": "http://json-schema.org/draft-04/schema#" }), "#/$schema: "),
        (json!({ "uniqueItems": "yes" }), "#/uniqueItems: \"yes\" is not true or false"),
        (json!({ "required": "a" }), "#/required: \"a\" is not a list of names"),
    ];
    for (schema, expected) in cases {
        let why = JsonSchema::of(&schema).unwrap_err();
        assert!(why.contains(expected), "{schema}: {why}");
    }
    assert!(JsonSchema::parse("{").is_err_and(|why| why.starts_with("no JSON: ")));
    let described =
        json!({ "title": "t", "description": "d", "format": "date-time", "x-owner": "us", "$id": "https://a.test/s" });
    assert!(JsonSchema::of(&described).is_ok());
}
