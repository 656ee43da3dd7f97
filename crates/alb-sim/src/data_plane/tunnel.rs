//! Tunnels after a protocol switch (WebSocket and other upgrades).

use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio_util::sync::CancellationToken;

use super::server::ActiveGuard;

/// Copies both ways until one side ends or the server's connections are cut.
pub(super) fn spawn(client: OnUpgrade, server: OnUpgrade, active: ActiveGuard, cut: CancellationToken) {
    tokio::spawn(async move {
        let _active = active;
        let (client, server) = match tokio::try_join!(client, server) {
            Ok(both) => both,
            Err(error) => return tracing::debug!(%error, "protocol switch failed"),
        };
        let (mut client, mut server) = (TokioIo::new(client), TokioIo::new(server));
        let copied = cut
            .run_until_cancelled(tokio::io::copy_bidirectional(&mut client, &mut server))
            .await;
        if let Some(Err(error)) = copied {
            tracing::debug!(%error, "tunnel broke");
        }
    });
}
