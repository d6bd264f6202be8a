//! What a result came of, and how two of these differ.

use serde_json::Value;

/// Where `found` and `asked` differ, field by field: `mlp.rate: 0.02 there, 0.01 here`.
pub fn differences(found: &Value, asked: &Value) -> Vec<String> {
    let mut list = Vec::new();
    collect("", Some(found), Some(asked), &mut list);
    list
}

fn collect(path: &str, found: Option<&Value>, asked: Option<&Value>, list: &mut Vec<String>) {
    if found == asked {
        return;
    }
    if let (Some(Value::Object(found)), Some(Value::Object(asked))) = (found, asked) {
        let only_asked = asked.keys().filter(|key| !found.contains_key(*key));
        for key in found.keys().chain(only_asked) {
            let inner = match path {
                "" => key.clone(),
                path => format!("{path}.{key}"),
            };
            collect(&inner, found.get(key), asked.get(key), list);
        }
        return;
    }
    let shown = |value: Option<&Value>| value.map_or("nothing".to_owned(), Value::to_string);
    let name = if path.is_empty() { "all of it" } else { path };
    list.push(format!(
        "{name}: {} there, {} here",
        shown(found),
        shown(asked)
    ));
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_difference_is_named() {
        let found = json!({"mlp": {"rate": 0.02, "start": [2, 2]}, "old": 1, "same": null});
        let asked = json!({"mlp": {"rate": 0.01, "start": [2, 2]}, "same": null, "new": "x"});
        assert_eq!(
            differences(&found, &asked),
            [
                "mlp.rate: 0.02 there, 0.01 here",
                "old: 1 there, nothing here",
                "new: nothing there, \"x\" here"
            ]
        );
        assert!(differences(&found, &found).is_empty());
        assert_eq!(
            differences(&json!(1), &json!(2)),
            ["all of it: 1 there, 2 here"]
        );
    }
}
