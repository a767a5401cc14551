//! Objects as tables for people, with the columns that the API server gives their kind.

use ::http::Request;
use serde::Deserialize;
use serde_json::Value;

use super::Kube;
use crate::error::{Error, Result};

/// Which objects to show, and how much of them.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TableOptions {
    /// The namespace; default: all.
    pub namespace: Option<String>,
    /// Labels to select by, e.g. `app=web`.
    pub selector: Option<String>,
    /// Fields to select by, e.g. `spec.nodeName=worker`.
    pub fields: Option<String>,
    /// With the columns that are left out as a rule.
    pub wide: bool,
}

/// What the API server answers.
#[derive(Debug, Deserialize)]
struct Table {
    #[serde(rename = "columnDefinitions")]
    columns: Vec<Column>,
    #[serde(default)]
    rows: Option<Vec<Row>>,
}

#[derive(Debug, Deserialize)]
struct Column {
    name: String,
    #[serde(default)]
    priority: i32,
}

#[derive(Debug, Deserialize)]
struct Row {
    cells: Vec<Value>,
    #[serde(default)]
    object: Value,
}

impl Kube {
    /// The objects of a kind as a table.
    ///
    /// # Errors
    /// Refused for an unknown kind, host with what the API server said.
    pub async fn table(&self, kind: &str, options: &TableOptions) -> Result<String> {
        let resource = self.resource(kind).await?;
        let path = resource.path(options.namespace.as_deref(), None, None);
        let mut query = form_urlencoded::Serializer::new(format!("{path}?"));
        for (name, value) in [("labelSelector", &options.selector), ("fieldSelector", &options.fields)] {
            query.extend_pairs(value.iter().map(|value| (name, value)));
        }
        let request = Request::get(query.finish())
            .header("accept", "application/json;as=Table;v=v1;g=meta.k8s.io,application/json")
            .body(Vec::new())
            .map_err(|error| Error::refused(format!("{path} can't be asked for: {error}")))?;
        let what = format!("reading {kind}");
        let table = self.read_only(&what, || self.client.request::<Table>(request.clone())).await?;
        Ok(table.text(resource.namespaced && options.namespace.is_none(), options.wide))
    }
}

impl Table {
    fn text(&self, namespaces: bool, wide: bool) -> String {
        let rows = self.rows.as_deref().unwrap_or_default();
        if rows.is_empty() {
            return String::new();
        }
        let shown: Vec<usize> = (0..self.columns.len()).filter(|&i| wide || self.columns[i].priority == 0).collect();
        let mut lines: Vec<Vec<String>> = Vec::new();
        let mut head: Vec<String> = shown.iter().map(|&i| self.columns[i].name.to_uppercase()).collect();
        if namespaces {
            head.insert(0, "NAMESPACE".into());
        }
        lines.push(head);
        for row in rows {
            let mut line: Vec<String> = shown.iter().map(|&i| cell(row.cells.get(i).unwrap_or(&Value::Null))).collect();
            if namespaces {
                line.insert(0, cell(&row.object["metadata"]["namespace"]));
            }
            lines.push(line);
        }
        align(&lines)
    }
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => "<none>".into(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn align(lines: &[Vec<String>]) -> String {
    let columns = lines.first().map_or(0, Vec::len);
    let width = |i: usize| lines.iter().map(|line| line[i].chars().count()).max().unwrap_or_default();
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let rendered = lines.iter().map(|line| {
        let cells = line.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        cells.collect::<Vec<_>>().join("   ").trim_end().to_owned()
    });
    rendered.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn table() -> Table {
        serde_json::from_value(json!({
            "columnDefinitions": [{ "name": "Name", "priority": 0 }, { "name": "Restarts" }, { "name": "Node", "priority": 1 }],
            "rows": [
                { "cells": ["coredns", 0, "worker"], "object": { "metadata": { "namespace": "kube-system" } } },
                { "cells": ["web", "3 (2m ago)", null], "object": { "metadata": { "namespace": "apps" } } },
            ],
        }))
        .unwrap()
    }

    #[test]
    fn columns_are_aligned() {
        insta::assert_snapshot!(table().text(true, false), @r"
        NAMESPACE     NAME      RESTARTS
        kube-system   coredns   0
        apps          web       3 (2m ago)
        ");
        insta::assert_snapshot!(table().text(false, true), @r"
        NAME      RESTARTS     NODE
        coredns   0            worker
        web       3 (2m ago)   <none>
        ");
    }
}
