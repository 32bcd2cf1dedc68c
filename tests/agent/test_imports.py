import subprocess
import sys

_SERVER_ONLY = """
argon2 jinja2 litestar sqlalchemy uvicorn pyotp segno psycopg weasyprint
releve.apps.server releve.apps.console releve.apps.guard
"""
SERVER_ONLY = set(_SERVER_ONLY.split())


def test_the_agent_loads_nothing_of_the_server() -> None:
    script = "import sys, releve.apps.agent.cli; print('\\n'.join(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    loaded = set(done.stdout.split())
    assert not loaded & SERVER_ONLY
