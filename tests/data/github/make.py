"""Make `deliveries.jsonl` from the unpacked npm package @octokit/webhooks-examples: `python make.py PACKAGE_FOLDER`.

Takes the events that can concern a person, and drops from each payload what no mapping needs: addresses of API
endpoints, node ids and avatars.
"""

import json
import sys
from pathlib import Path
from typing import Any, cast

EVENTS = {
    "check_run",
    "check_suite",
    "code_scanning_alert",
    "commit_comment",
    "dependabot_alert",
    "discussion",
    "discussion_comment",
    "issue_comment",
    "issues",
    "member",
    "ping",
    "pull_request",
    "pull_request_review",
    "pull_request_review_comment",
    "push",
    "release",
    "star",
    "status",
    "workflow_job",
    "workflow_run",
}


def slim(value: Any) -> Any:
    if isinstance(value, dict):
        members = cast("dict[str, Any]", value)
        return {key: slim(inner) for key, inner in members.items() if not _is_dropped(key)}
    if isinstance(value, list):
        return [slim(inner) for inner in cast("list[Any]", value)]
    return value


def _is_dropped(key: str) -> bool:
    return key in {"node_id", "_links", "gravatar_id", "url"} or (key.endswith("_url") and key != "html_url")


def main(package: Path) -> None:
    examples = json.loads((package / "api.github.com" / "index.json").read_text())
    lines = [
        json.dumps({"event": event["name"], "payload": slim(payload)}, separators=(",", ":"), ensure_ascii=False)
        for event in examples
        if event["name"] in EVENTS
        for payload in event["examples"]
    ]
    Path(__file__).with_name("deliveries.jsonl").write_text("\n".join(lines) + "\n")
    sys.stdout.write(f"{len(lines)} deliveries\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
