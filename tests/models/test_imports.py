import subprocess
import sys

HEAVY = "langchain_openai, langchain_core, openai, httpx2, aiohttp, genai_prices, starlette, uvicorn"


def test_the_gateway_imports_nothing_heavy() -> None:
    code = (
        "import sys; import planloom.models.gateway, planloom.models.script\n"
        f"print([name for name in {HEAVY.split(', ')!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
