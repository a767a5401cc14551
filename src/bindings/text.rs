//! Texts that come with k3srun, JSON and YAML.

use rhai::plugin::*;

#[export_module]
#[allow(clippy::needless_pass_by_value, missing_docs)]
pub mod api {
    use rhai::{Dynamic, EvalAltResult, Map};
    use serde::Deserialize as _;

    use crate::error::Error;
    use crate::script::{context, fail, holds_secret, library_files, library_text};
    use crate::suggestion::nearest;

    /// The text of a file of the standard library, like the values of a chart. A file of the same name in the folder of
    /// `--stdlib` stands in for it.
    ///
    /// # Example
    /// ```rhai
    /// let values = parse_yaml(stdlib_text("values/traefik.yaml"));
    /// if values.type_of() != "map" { throw "no map" }
    /// ```
    #[rhai_fn(return_raw)]
    pub fn stdlib_text(call: NativeCallContext, path: &str) -> Result<String, Box<EvalAltResult>> {
        library_text(context(&call).settings.stdlib.as_deref(), path).ok_or_else(|| {
            let files = library_files();
            let help = match nearest(path, files.iter().map(String::as_str)) {
                Some(meant) => format!("did you mean {meant:?}?"),
                None => format!("there are {}", files.join(", ")),
            };
            fail(&call, Error::script(format!("the standard library has no file {path:?}")).help(help))
        })
    }

    /// A map as JSON. A secret in it is an error: the text would be one that nobody keeps secret.
    ///
    /// # Example
    /// ```rhai
    /// if #{ port: 80 }.to_json() != `{"port":80}` { throw "no" }
    /// ```
    #[rhai_fn(global, return_raw, pure)]
    pub fn to_json(call: NativeCallContext, map: &mut Map) -> Result<String, Box<EvalAltResult>> {
        if holds_secret(&Dynamic::from_map(map.clone()), context(&call).run.secrets()) {
            let error = Error::script("to_json() takes no secret");
            return Err(fail(
                &call,
                error.help("render a template with it: file(path, #{ template: `{\"password\": {{ password | tojson }}}`, vars: #{ password: the_secret } })"),
            ));
        }
        Ok(rhai::format_map_as_json(map))
    }

    /// The value that a text of YAML stands for; of one document.
    ///
    /// # Example
    /// ```rhai
    /// let ports = parse_yaml("ports:\n- 80\n- 443\n").ports;
    /// if ports != [80, 443] { throw ports }
    /// ```
    #[rhai_fn(return_raw)]
    pub fn parse_yaml(call: NativeCallContext, text: &str) -> Result<Dynamic, Box<EvalAltResult>> {
        let unreadable = |why: String| fail(&call, Error::script(format!("this is no YAML: {why}")));
        let reader = serde_yaml_ng::Deserializer::from_str(text);
        let value = serde_json::Value::deserialize(reader).map_err(|error| unreadable(error.to_string()))?;
        rhai::serde::to_dynamic(value)
    }
}
