"""axe-core, which looks for what keeps people from using a page."""

from node_packages import AXE
from playwright.async_api import Page

_RUN = """async (rules) => {
  const asked = { resultTypes: ["violations"], ...(rules ? { runOnly: rules } : {}) };
  const { violations } = await axe.run(document, asked);
  return violations.flatMap(({ id, impact, nodes }) =>
    nodes.map((node) => `${impact} ${id}: ${node.target.join(" ")} ${node.failureSummary}`));
}"""


def script() -> str:
    """Return the source of axe-core; skips where it is not installed."""
    return AXE.found().read_text("utf-8")


async def violations(page: Page, source: str, *rules: str) -> list[str]:
    """Return what axe-core finds on a page, of whatever impact.

    Args:
        page: The page.
        source: Of axe-core.
        rules: The only ones to look at; all where none is named.
    """
    if not await page.evaluate("'axe' in globalThis"):
        await page.evaluate(source)
    found: list[str] = await page.evaluate(_RUN, [*rules] or None)
    return found
