//! A JSON object that is passed on: its fields in their order, their values as they came, byte for byte.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// An object whose values are not taken apart.
pub(super) struct RawObject<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'a> RawObject<'a> {
    /// A field's value; where a name stands twice the last one counts, as for every reader.
    pub(super) fn get(&self, name: &str) -> Option<&'a RawValue> {
        let field = self.0.iter().rev().find(|(field, _)| field == name);
        field.map(|(_, value)| *value)
    }

    /// A field that is a text.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        self.get(name)
            .and_then(|value| serde_json::from_str(value.get()).ok())
    }

    /// A field that names something: a text, or a whole number, as whoever counts their rows has it.
    pub(super) fn name(&self, name: &str) -> Option<String> {
        let value = self.get(name)?.get();
        let digits = value.strip_prefix('-').unwrap_or(value);
        let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
        if is_number {
            Some(value.to_owned())
        } else {
            self.text(name)
        }
    }

    /// The object without some fields and with another value for one.
    pub(super) fn with(&self, without: &[&str], replaced: Option<(&str, &str)>) -> String {
        let mut json = String::from("{");
        for (name, value) in &self.0 {
            if without.contains(&&**name) {
                continue;
            }
            let value = match replaced {
                Some((field, replacement)) if field == name => replacement,
                _ => value.get(),
            };
            if json.len() > 1 {
                json.push(',');
            }
            push_field(&mut json, name, value);
        }
        json.push('}');
        json
    }

    /// Whether no field is left without these.
    pub(super) fn is_empty_without(&self, without: &[&str]) -> bool {
        self.0.iter().all(|(name, _)| without.contains(&&**name))
    }
}

/// Writes a field of an object.
pub(super) fn push_field(json: &mut String, name: &str, value: &str) {
    // Names are texts, which can always be written.
    json.push_str(&serde_json::Value::from(name).to_string());
    json.push(':');
    json.push_str(value);
}

impl<'de: 'a, 'a> Deserialize<'de> for RawObject<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;
        impl<'de> Visitor<'de> for Fields {
            type Value = Vec<(Cow<'de, str>, &'de RawValue)>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = Vec::new();
                while let Some((name, value)) = map.next_entry::<Name<'de>, &'de RawValue>()? {
                    fields.push((name.0, value));
                }
                Ok(fields)
            }
        }
        deserializer.deserialize_map(Fields).map(Self)
    }
}

/// A field's name; borrowed unless it holds escapes.
struct Name<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl<'de> Visitor<'de> for Text {
            type Value = Cow<'de, str>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name")
            }
            fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Self::Value, E> {
                Ok(Cow::Borrowed(name))
            }
            fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
                Ok(Cow::Owned(name.to_owned()))
            }
        }
        deserializer.deserialize_str(Text).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_changed_keeps_its_order_and_its_bytes() {
        let text = r#"{ "z": 1.0, "a\u0062": [ 1,  2 ], "m": {"k": null}, "z": 2e3 }"#;
        let object: RawObject<'_> = serde_json::from_str(text).unwrap();
        assert_eq!(object.get("z").map(RawValue::get), Some("2e3"));
        assert_eq!(object.get("ab").map(RawValue::get), Some("[ 1,  2 ]"));
        assert_eq!(
            object.with(&["m"], Some(("ab", "7"))),
            r#"{"z":1.0,"ab":7,"z":2e3}"#
        );
        assert_eq!(object.with(&["z", "ab", "m"], None), "{}");
        assert_eq!(object.name("z"), None);
        assert!(object.is_empty_without(&["z", "ab", "m"]) && !object.is_empty_without(&["z"]));
        assert!(serde_json::from_str::<RawObject<'_>>("[]").is_err());
    }
}
