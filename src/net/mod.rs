//! What answers at an address, as this machine or a host sees it: names, TCP, TLS, HTTP. Everything is spoken here, over a
//! connection of this machine or a channel of the host's SSH connection, so that no program of the host is needed and
//! no output of one is read.

mod certificate;
mod download;
mod exchange;
mod http;
mod names;
mod proxy;
mod tls;
mod url;

pub use ::http::Method;
pub use certificate::Certificate;
pub use download::download;
pub use http::{Request, Response, send};
pub use names::addresses;
pub use tls::{Trust, served};
pub use url::Url;
