//! The environment variables of a plugin's VM, from which headers of copies may be taken. Without this check a missing variable would be
//! noticed only when shadows answer 401.
//!
//! Whether the proxy itself has a variable that it passes on to the VM can't be seen here.

use gnomon::config::Config;
use gnomon::config::raw::Node;

use super::protobuf_json::{field, items};

/// The variables that a VM gets.
#[derive(Debug)]
pub struct Environment<'a> {
    names: Vec<&'a str>,
    /// The key in the manifest that lists the variables.
    key: &'static str,
}

impl<'a> Environment<'a> {
    /// Reads the environment of an Istio plugin: `vmConfig.env`.
    pub fn istio(wasm: &'a Node) -> Self {
        let variables = wasm.get("vmConfig").and_then(|vm| vm.get("env"));
        let names = items(variables).iter().filter_map(|variable| variable.get("name")?.as_text());
        Self { names: names.collect(), key: "vmConfig.env" }
    }

    /// Reads the environment of an Envoy Gateway plugin: `env.hostKeys`.
    pub fn gateway(wasm: &'a Node) -> Self {
        let keys = wasm.get("env").and_then(|env| env.get("hostKeys"));
        Self { names: items(keys).iter().filter_map(Node::as_text).collect(), key: "env.hostKeys" }
    }

    /// Reads the environment of an Envoy filter with this `config`: `vm_config.environment_variables`.
    pub fn envoy(config: &'a Node) -> Self {
        let variables = field(config, "vm_config").and_then(|vm| field(vm, "environment_variables"));
        let of_host = items(variables.and_then(|variables| field(variables, "host_env_keys"))).iter().filter_map(Node::as_text);
        let own = match variables.and_then(|variables| field(variables, "key_values")) {
            Some(Node::Object(pairs)) => pairs.as_slice(),
            _ => &[],
        };
        let names = of_host.chain(own.iter().map(|(name, _)| name.as_str()));
        Self { names: names.collect(), key: "vm_config.environment_variables" }
    }

    /// Returns a line for each shadow and each variable that `config` needs and the VM does not get.
    pub fn lacks(&self, config: &Config) -> Vec<String> {
        let shadows = config.routes.iter().flat_map(|route| &route.shadows);
        let needed = shadows.flat_map(|shadow| shadow.request.from_env.iter().map(|(header, variable)| (&shadow.name, header, variable)));
        let missing = needed.filter(|(_, _, variable)| !self.names.contains(&variable.as_str()));
        let line = |(shadow, header, variable)| {
            format!("copies for {shadow} take {header} from {variable}, which their VM does not get: add it to {}", self.key)
        };
        missing.map(line).collect()
    }
}
