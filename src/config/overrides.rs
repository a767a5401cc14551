//! `--set key=value`: settings from the command line, which win over the file.

use crate::suggestion::nearest;

use super::{
    document::{Entry, Node, Place, Sources, Table, Value},
    problem::Finding,
};

/// Puts the arguments into the tree, the later over the earlier. A key is a path of names with dots; an item of a list is
/// addressed by its name: `nodes.worker.private_ip=10.0.0.2`.
pub(super) fn apply(root: &mut Table, arguments: &[String], sources: &mut Sources) -> Vec<Finding> {
    arguments
        .iter()
        .filter_map(|argument| {
            let whole = Place::new(sources.add_argument(argument), 0..argument.len());
            apply_one(root, argument, whole).err()
        })
        .collect()
}

fn apply_one(root: &mut Table, argument: &str, whole: Place) -> Result<(), Finding> {
    let Some((path, value)) = argument.split_once('=') else {
        return Err(Finding::new(
            "`--set` needs a key and a value",
            "write --set key=value, for example --set k3s.version=v1.36.5+k3s1",
            whole,
        ));
    };
    let keys = keys(path, whole);
    if let Some((_, place)) = keys.iter().find(|(key, _)| key.is_empty()) {
        let help = "write names with dots between them, for example cluster.name or nodes.worker.private_ip";
        return Err(Finding::new(format!("`{path}` is not a key"), help, *place));
    }
    let place = whole.part(path.len() + "=".len(), value.len());
    set(root, &keys, argument_value(value, place))
}

/// The names of a path with dots, each with its place.
fn keys(path: &str, whole: Place) -> Vec<(&str, Place)> {
    let mut offset = 0;
    path.split('.')
        .map(|key| {
            let place = whole.part(offset, key.len());
            offset += key.len() + ".".len();
            (key, place)
        })
        .collect()
}

/// The value of an argument, without the quotes that people may write around it but needn't.
fn argument_value(text: &str, place: Place) -> Node {
    let inner = ['"', '\''].iter().find_map(|quote| text.strip_prefix(*quote)?.strip_suffix(*quote));
    match inner {
        Some(inner) => Node { value: Value::Argument(inner.to_owned()), place: place.part(1, inner.len()) },
        None => Node { value: Value::Argument(text.to_owned()), place },
    }
}

/// Sets the value at a path below the table; tables that the file doesn't have are made.
fn set(table: &mut Table, keys: &[(&str, Place)], value: Node) -> Result<(), Finding> {
    let Some((&(key, key_place), rest)) = keys.split_first() else { return Err(no_single_setting(&value)) };
    let entry = |node| Entry { key: key.to_owned(), key_place, node };
    let holds_settings =
        |known: &Entry| matches!(&known.node.value, Value::Table(_)) || is_named_list(&known.node.value);
    if rest.is_empty() && !table.get(key).is_some_and(holds_settings) {
        table.replace(entry(value));
        return Ok(());
    }
    let new_table = Node { value: Value::Table(Table::empty(key_place)), place: key_place };
    match &mut table.get_or_insert(entry(new_table)).node.value {
        Value::Table(inner) => set(inner, rest, value),
        Value::Array(items) if items.iter().any(|item| item.name().is_some()) => set_in_item(key, items, rest, value),
        _ => Err(Finding::new(
            format!("`{key}` is a setting, not a table of settings"),
            "write the name of a table and one of its keys, for example cluster.name",
            key_place,
        )),
    }
}

/// Sets the value in the item of a list whose name the path goes on with.
fn set_in_item(list: &str, items: &mut [Node], keys: &[(&str, Place)], value: Node) -> Result<(), Finding> {
    let Some((&(name, place), rest)) = keys.split_first() else { return Err(no_single_setting(&value)) };
    if let Some(Node { value: Value::Table(item), .. }) = items.iter_mut().find(|item| item.name() == Some(name)) {
        return set(item, rest, value);
    }
    let names: Vec<&str> = items.iter().filter_map(Node::name).collect();
    let help = match nearest(name, names.iter().copied()) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!("the {list} are {}", names.join(" and ")),
    };
    Err(Finding::new(format!("there is no {} `{name}`", list.trim_end_matches('s')), help, place))
}

fn is_named_list(value: &Value) -> bool {
    matches!(value, Value::Array(items) if items.iter().any(|item| item.name().is_some()))
}

fn no_single_setting(value: &Node) -> Finding {
    Finding::new(
        "this is not one setting but several",
        "write one of them, for example cluster.name=prod or nodes.worker.private_ip=10.0.0.2",
        Place { start: 0, end: value.place.start.saturating_sub("=".len()), ..value.place },
    )
}
