//! Pages, filters, and the order of lists.

use alb_api::alb::*;

use crate::support::*;

#[tokio::test]
async fn pages_follow_each_other_without_gap_or_repetition() {
    let setup = start().await;
    let mut made = Vec::new();
    for i in 0..7 {
        made.push(
            setup
                .client
                .send(&create_server_group(&format!("group-{i}")))
                .await
                .unwrap()
                .server_group_id,
        );
    }
    setup.settle().await;
    let all = setup
        .client
        .all_pages(ListServerGroups {
            max_results: Some(3),
            ..Default::default()
        })
        .await
        .unwrap();
    let ids: Vec<String> = all.into_iter().map(|group| group.server_group_id).collect();
    assert_eq!(ids, made);

    let first = setup.ok("ListServerGroups", &[("MaxResults", "3")]).await;
    assert_eq!(
        (
            first.body["TotalCount"].as_i64(),
            first.body["MaxResults"].as_i64()
        ),
        (Some(7), Some(3))
    );
    // What is deleted between two pages does not shift the rest.
    setup
        .ok("DeleteServerGroup", &[("ServerGroupId", &made[0])])
        .await;
    setup.settle().await;
    let token = first.text("NextToken");
    let second = setup
        .ok("ListServerGroups", &[("MaxResults", "4"), ("NextToken", &token)])
        .await;
    let shown: Vec<&str> = second.body["ServerGroups"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|group| group["ServerGroupId"].as_str())
        .collect();
    assert_eq!(shown, &made[3..]);
    assert!(second.body.get("NextToken").is_none());
}

#[tokio::test]
async fn pages_are_bounded_and_tokens_checked() {
    let setup = start().await;
    for (params, code) in [
        ([("MaxResults", "0")], "IllegalParam.MaxResults"),
        ([("MaxResults", "101")], "IllegalParam.MaxResults"),
        ([("NextToken", "nonsense")], "IllegalParam.NextToken"),
    ] {
        assert_eq!(setup.raw("ListServerGroups", &params).await.code(), code);
    }
    let gateway = setup.gateway().await;
    let params = [("ListenerId", gateway.listener.as_str()), ("MaxResults", "31")];
    assert_eq!(
        setup.raw("GetListenerHealthStatus", &params).await.code(),
        "IllegalParam.MaxResults"
    );
}

#[tokio::test]
async fn tags_select_and_can_be_changed() {
    let setup = start().await;
    let tagged = |name: &str, tags: &[(&str, &str)]| CreateServerGroup {
        tag: tags
            .iter()
            .map(|(key, value)| Tag {
                key: (*key).into(),
                value: (*value).into(),
            })
            .collect(),
        ..create_server_group(name)
    };
    let send = async |create: CreateServerGroup| setup.client.send(&create).await.unwrap().server_group_id;
    let a = send(tagged("group-a", &[("owner", "me"), ("zone", "1")])).await;
    let b = send(tagged("group-b", &[("owner", "me"), ("zone", "2")])).await;
    send(tagged("group-c", &[("owner", "you")])).await;
    let found = async |filter: &[(&str, &str)]| {
        let answer = setup.ok("ListServerGroups", filter).await;
        let groups = answer.body["ServerGroups"].as_array().unwrap().clone();
        groups
            .iter()
            .map(|group| group["ServerGroupId"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        found(&[("Tag.1.Key", "owner"), ("Tag.1.Value", "me")]).await,
        [a.clone(), b.clone()]
    );
    let both = [
        ("Tag.1.Key", "owner"),
        ("Tag.1.Value", "me"),
        ("Tag.2.Key", "zone"),
        ("Tag.2.Value", "2"),
    ];
    assert_eq!(found(&both).await, std::slice::from_ref(&b));
    assert_eq!(found(&[("Tag.1.Key", "zone")]).await, [a.clone(), b.clone()]);

    let target = [("ResourceType", "servergroup"), ("ResourceId.1", a.as_str())];
    let tag = [target.as_slice(), &[("Tag.1.Key", "zone"), ("Tag.1.Value", "2")]].concat();
    setup.ok("TagResources", &tag).await;
    assert_eq!(found(&both).await, [a.clone(), b.clone()]);
    setup
        .ok(
            "UnTagResources",
            &[target.as_slice(), &[("TagKey.1", "zone")]].concat(),
        )
        .await;
    assert_eq!(found(&both).await, [b]);
    for (key, value, code) in [
        ("aliyun-x", "v", "IllegalParam.Key"),
        ("acs:x", "v", "IllegalParam.Key"),
        ("x", "https://a", "IllegalParam.Value"),
    ] {
        let tag = [target.as_slice(), &[("Tag.1.Key", key), ("Tag.1.Value", value)]].concat();
        assert_eq!(setup.raw("TagResources", &tag).await.code(), code);
    }
}

#[tokio::test]
async fn response_rules_are_listed_only_when_asked_for() {
    let setup = start().await;
    let gateway = setup.gateway().await;
    let response = [
        ("ListenerId", gateway.listener.as_str()),
        ("Rules.1.RuleName", "response"),
        ("Rules.1.Priority", "1"),
        ("Rules.1.Direction", "Response"),
        ("Rules.1.RuleConditions.1.Type", "ResponseStatusCode"),
        (
            "Rules.1.RuleConditions.1.ResponseStatusCodeConfig.Values.1",
            "404",
        ),
        ("Rules.1.RuleActions.1.Type", "RemoveHeader"),
        ("Rules.1.RuleActions.1.Order", "1"),
        ("Rules.1.RuleActions.1.RemoveHeaderConfig.Key", "server"),
    ];
    setup.ok("CreateRules", &response).await;
    setup.settle().await;
    // The same priority in the other direction is free.
    let request = create_rules(&gateway.listener, vec![rule(1, "a.example.com", &gateway.group)]);
    setup.client.send(&request).await.unwrap();
    setup.settle().await;
    let names = async |direction: Option<&str>| {
        let list = ListRules {
            listener_ids: vec![gateway.listener.clone()],
            direction: direction.map(Into::into),
            ..Default::default()
        };
        let rules = setup.client.all_pages(list).await.unwrap();
        rules.into_iter().map(|rule| rule.rule_name).collect::<Vec<_>>()
    };
    assert_eq!(names(None).await, ["rule-1"]);
    assert_eq!(names(Some("Request")).await, ["rule-1"]);
    assert_eq!(names(Some("Response")).await, ["response"]);
}
