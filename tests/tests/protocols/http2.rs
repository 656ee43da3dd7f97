//! HTTP/2 from clients.

use anyhow::{Result, ensure};
use bytes::Bytes;
use e2e::{LIMIT, traffic};
use examples::backend::Echo;
use examples::stack;
use http_body_util::{BodyExt, Empty};
use hyper::{Request, Version};

use crate::{http2_connection, https, ingress, listener, system};

#[tokio::test(flavor = "multi_thread")]
async fn requests_of_one_http2_connection_go_each_its_own_way() -> Result<()> {
    let (mut stack, _) = system().await?;
    for (name, pod) in [("shop", "10.0.0.1"), ("news", "10.0.0.2")] {
        stack.application(name, &[pod]).await?;
        ingress(&stack, &format!("{name}.example.com"), &[], &[("/", name)]).await?;
        stack
            .answers(&format!("https://{name}.example.com/"), &format!("200 {name}"))
            .await?;
    }

    // The certificate holds for both hosts, so that browsers use one connection for both.
    let sender = http2_connection::<Empty<Bytes>>(&stack, &https("shop.example.com")?).await?;
    let asked = (0..40).map(|n| {
        let mut sender = sender.clone();
        async move {
            let name = if n % 2 == 0 { "shop" } else { "news" };
            let request = Request::get(format!("https://{name}.example.com/{n}")).version(Version::HTTP_2);
            let response = sender.send_request(request.body(Empty::new())?).await?;
            ensure!(response.version() == Version::HTTP_2 && response.status() == 200);
            let echo: Echo = serde_json::from_slice(&response.into_body().collect().await?.to_bytes())?;
            let seen = (echo.app.as_str(), echo.path, echo.host);
            ensure!(
                seen == (name, format!("/{n}"), format!("{name}.example.com")),
                "{seen:?}"
            );
            // Servers are spoken to in HTTP/1.1 all the same.
            ensure!(echo.protocol == "HTTP/1.1", "{}", echo.protocol);
            Ok(())
        }
    });
    futures::future::try_join_all(asked).await?;

    // Switched off, the listener offers HTTP/1.1 alone.
    let off = include_str!("../../src/gateway.yaml")
        .replace("protocol: HTTPS}", "protocol: HTTPS, http2Enabled: false}");
    ensure!(off.contains("http2Enabled"), "the gateway has another form");
    stack.apply(&off).await?;
    stack::until("a listener without HTTP/2", LIMIT, || async {
        let stream = traffic::connect_tls(listener(&stack, 443)?, &https("shop.example.com")?).await?;
        Ok((stream.get_ref().1.alpn_protocol() != Some(b"h2")).then_some(()))
    })
    .await?;
    let reply = stack.ask(&https("shop.example.com")?).await?;
    assert_eq!(reply.summary(), "200 shop");
    stack.finish().await
}
