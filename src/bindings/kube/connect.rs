//! The way to a cluster.

use rhai::plugin::*;

#[export_module]
#[allow(clippy::needless_pass_by_value, missing_docs)]
pub mod api {
    use rhai::EvalAltResult;

    use crate::host::Host;
    use crate::k3s::{self, KubeconfigOptions};
    use crate::kube::{self, Kube};
    use crate::script::{block, context};

    /// Connects to the API of the cluster whose server a host is, through a tunnel: the API server's port needs to be open
    /// to nobody else. The kubeconfig is read over the connection and written nowhere.
    ///
    /// # Example
    /// ```rhai,no_run
    /// let k = kube::connect(ssh::connect("master"));
    /// for node in k.get("nodes") { print(node.metadata.name) }
    /// ```
    #[rhai_fn(return_raw)]
    pub fn connect(call: NativeCallContext, host: Host) -> Result<Kube, Box<EvalAltResult>> {
        block(&call, &context(&call), async {
            let kubeconfig = k3s::kubeconfig(&host, &KubeconfigOptions::default()).await?;
            kube::connect(&host, kubeconfig).await
        })
    }
}

#[export_module]
#[allow(missing_docs)]
pub mod methods {
    use crate::kube::Kube;

    #[rhai_fn(global, name = "to_string", name = "to_debug", pure)]
    pub fn to_string(kube: &mut Kube) -> String {
        format!("the cluster of {}", kube.host().name())
    }
}
