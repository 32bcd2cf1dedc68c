"""Every operation on a structure: the routes and their document are made from this table, and nothing else."""

from releve.apps.api import answers as form
from releve.apps.api import reads, writes
from releve.apps.api.call import Operation
from releve.model.tool import Scope

_INCIDENT = "/incidents/{incident}"
_WEBHOOK = "/webhooks/{webhook}"

OPERATIONS = (
    Operation(
        name="list_hosts", method="GET", path="/hosts", scope=Scope.HOSTS_READ, is_list=True,
        summary="Hosts, by id.", work=reads.hosts, answer=form.Page[form.ApiHost],
    ),
    Operation(
        name="get_host", method="GET", path="/hosts/{host}", scope=Scope.HOSTS_READ,
        summary="One host.", work=reads.host, answer=form.ApiHost,
    ),
    Operation(
        name="list_incidents", method="GET", path="/incidents", scope=Scope.INCIDENTS_READ,
        is_list=True, summary="Incidents, newest first.", work=reads.incidents,
        answer=form.Page[form.ApiIncident],
    ),
    Operation(
        name="get_incident", method="GET", path=_INCIDENT, scope=Scope.INCIDENTS_READ,
        summary="One incident with its care clocks and tasks.", work=reads.incident,
        answer=form.ApiCase,
    ),
    Operation(
        name="list_timeline", method="GET", path=f"{_INCIDENT}/timeline", is_list=True,
        scope=Scope.INCIDENTS_READ, summary="The timeline of an incident, newest first.",
        work=reads.timeline, answer=form.Page[form.ApiEntry],
    ),
    Operation(
        name="add_note", method="POST", path=f"{_INCIDENT}/notes", scope=Scope.INCIDENTS_WRITE,
        summary="Write a line into the timeline; it stays for ever.", work=writes.note,
        body=form.NewNote, answer=form.ApiEntry, status=201,
    ),
    Operation(
        name="acknowledge_incident", method="POST", path=f"{_INCIDENT}/acknowledgements",
        scope=Scope.INCIDENTS_WRITE, summary="Say who has seen the incident; a line that stays.",
        work=writes.acknowledge, body=form.NewAcknowledgement, answer=form.ApiEntry, status=201,
    ),
    Operation(
        name="add_task", method="POST", path=f"{_INCIDENT}/tasks", scope=Scope.INCIDENTS_WRITE,
        summary="Add a task to an incident.", work=writes.add_task, body=form.NewTask,
        answer=form.ApiTask, status=201,
    ),
    Operation(
        name="end_task", method="POST", path=f"{_INCIDENT}/tasks/{{task}}/done",
        scope=Scope.INCIDENTS_WRITE, summary="A task is done.", work=writes.end_task,
        answer=form.ApiCase,
    ),
    Operation(
        name="list_help", method="GET", path="/help", scope=Scope.HELP_READ, is_list=True,
        summary="Calls for help, newest first.", work=reads.help_calls,
        answer=form.Page[form.ApiHelp],
    ),
    Operation(
        name="get_help", method="GET", path="/help/{help}", scope=Scope.HELP_READ,
        summary="One call for help: how far it is.", work=reads.help_call, answer=form.ApiHelp,
    ),
    Operation(
        name="ask_help", method="POST", path="/help", scope=Scope.HELP_WRITE,
        summary="Ask for help: whoever is on call is rung from here on.", work=writes.ask_help,
        body=form.NewHelp, answer=form.ApiHelp, status=201,
    ),
    Operation(
        name="list_obligations", method="GET", path="/obligations", is_list=True,
        scope=Scope.OBLIGATIONS_READ, summary="Legal clocks, by incident and duty.",
        work=reads.obligations, answer=form.Page[form.ApiObligation],
    ),
    Operation(
        name="list_statements", method="GET", path="/statements", is_list=True,
        scope=Scope.STATEMENTS_READ, summary="Service statements, oldest first.",
        work=reads.statements, answer=form.Page[form.ApiStatement],
    ),
    Operation(
        name="list_vaults", method="GET", path="/vaults", scope=Scope.VAULTS_READ, is_list=True,
        summary="Vaults, and what they signed of themselves last.", work=reads.vaults,
        answer=form.Page[form.ApiVault],
    ),
    Operation(
        name="list_webhooks", method="GET", path="/webhooks", scope=Scope.WEBHOOKS_WRITE,
        is_list=True, summary="Webhooks, by id.", work=writes.list_webhooks,
        answer=form.Page[form.ApiWebhook],
    ),
    Operation(
        name="add_webhook", method="POST", path="/webhooks", scope=Scope.WEBHOOKS_WRITE,
        summary="Post what happens from now on to an address; its secret is told this once.",
        work=writes.add_webhook, body=form.NewWebhook, answer=form.ApiNewWebhook, status=201,
    ),
    Operation(
        name="remove_webhook", method="DELETE", path=_WEBHOOK, scope=Scope.WEBHOOKS_WRITE,
        summary="Remove a webhook with its messages.", work=writes.remove_webhook, answer=None,
        status=204,
    ),
    Operation(
        name="test_webhook", method="POST", path=f"{_WEBHOOK}/test", scope=Scope.WEBHOOKS_WRITE,
        summary="Send a message that says nothing; one that was disabled is tried again.",
        work=writes.test_webhook, answer=form.ApiDelivery, status=202,
    ),
    Operation(
        name="list_deliveries", method="GET", path=f"{_WEBHOOK}/deliveries",
        scope=Scope.WEBHOOKS_WRITE, summary="The newest messages of a webhook (at most 50).",
        work=writes.list_deliveries, answer=form.Page[form.ApiDelivery],
    ),
)  # fmt: skip
