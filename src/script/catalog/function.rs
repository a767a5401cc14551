//! One function that scripts can call.

/// A function, a method or a property.
#[derive(Debug, Clone, PartialEq)]
pub struct Function {
    /// `ssh` for `ssh::connect`; empty for the global namespace.
    pub namespace: String,
    /// Its name, without anything before it.
    pub name: String,
    /// Whether it can be called without its namespace.
    pub global: bool,
    /// Whether it is a property: `host.name`, without parentheses.
    pub property: bool,
    /// The type before the dot, for methods and properties.
    pub receiver: Option<String>,
    /// The parameters, without the receiver.
    pub parameters: Vec<Parameter>,
    /// The type of the result; empty for none.
    pub returns: String,
    /// The text of its doc comment, in Markdown.
    pub doc: String,
    /// Whether it belongs to the language itself.
    pub standard: bool,
    /// The names that its option map may have, if it takes one.
    pub options: Option<&'static [&'static str]>,
}

/// A parameter of a function.
#[derive(Debug, Clone, PartialEq)]
pub struct Parameter {
    /// Its name; empty where it isn't known.
    pub name: String,
    /// Its type as scripts call it: `string`, `int`, `map`, `Host`, ...
    pub kind: String,
}

impl Function {
    /// How scripts call it: `ssh::connect`, `phase`; a method as `Host.run`.
    pub fn path(&self) -> String {
        match (&self.receiver, self.namespace.as_str()) {
            (Some(receiver), _) => format!("{receiver}.{}", self.name),
            (None, "") => self.name.clone(),
            (None, namespace) => format!("{namespace}::{}", self.name),
        }
    }

    /// With parameters and result: `Host.run(command: string, settings: map) -> Output`.
    pub fn signature(&self) -> String {
        let parameters: Vec<String> = self.parameters.iter().map(Parameter::signature).collect();
        let parameters = if self.property { String::new() } else { format!("({})", parameters.join(", ")) };
        let result = if self.returns.is_empty() { String::new() } else { format!(" -> {}", self.returns) };
        format!("{}{parameters}{result}", self.path())
    }

    /// How many arguments a call in the style of a function has.
    pub fn arity(&self) -> usize {
        self.parameters.len() + usize::from(self.receiver.is_some())
    }

    /// Whether one of the parameters is a map.
    pub fn takes_map(&self) -> bool {
        self.parameters.iter().any(|parameter| parameter.kind == "map")
    }

    /// Whether its name is an identifier, not an operator or something of the language's own.
    pub fn is_named(&self) -> bool {
        rhai::is_valid_identifier(&self.name)
    }
}

impl Parameter {
    fn signature(&self) -> String {
        match (self.name.as_str(), self.kind.as_str()) {
            ("", kind) => kind.to_owned(),
            (name, "") => name.to_owned(),
            (name, kind) => format!("{name}: {kind}"),
        }
    }
}
