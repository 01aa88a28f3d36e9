"""The style sheet of the HTML time line; colours come from the table that the SVG uses too."""

from planloom.cli.paint import COLOURS, FONT

_PLAIN = """
*{box-sizing:border-box}
body{margin:0;background:var(--ground);color:var(--ink);font:13px/1.4 FONT}
header{padding:20px 24px 12px}h1{font-size:20px;margin:0}header p{margin:2px 0 10px;color:var(--soft)}
form{display:flex;gap:14px;align-items:center;color:var(--soft);flex-wrap:wrap}
form label{display:flex;gap:5px;align-items:center;cursor:pointer}
main{overflow:auto;max-height:calc(100vh - 150px);margin:0 24px;border:1px solid var(--rule);border-radius:10px;
background:var(--card)}
.chart{position:relative;width:100%;min-width:900px;isolation:isolate}
body:has(#z3:checked) .chart{width:300%}body:has(#z10:checked) .chart{width:1000%}
body:has(#only:checked) .quiet{display:none}
.row{display:grid;grid-template-columns:190px 1fr 172px;grid-template-rows:100%;
align-items:center;height:26px;border-top:1px solid var(--rule)}
.row:hover{background:var(--hover)}
.name{position:sticky;left:0;z-index:3;background:var(--card);padding:0 8px 0 14px;height:100%;line-height:25px;
font-weight:600;overflow:hidden;white-space:nowrap;text-overflow:ellipsis}
.row:hover .name{background:var(--solid)}
.element .name{font-weight:400;color:var(--soft);padding-left:34px}
.removed .name{text-decoration:line-through}
.removed .name,.skipped .name,.pending .name{color:var(--soft);font-weight:400}
.failed>.name{color:var(--c-failed)}.held>.name{color:var(--c-human)}
.lane{position:relative;height:100%}
.facts{padding:0 10px;color:var(--soft);font-size:12px;white-space:nowrap;overflow:hidden;text-overflow:ellipsis;
font-variant-numeric:tabular-nums}
summary{list-style:none;cursor:pointer}summary::-webkit-details-marker{display:none}
summary .name::before{content:"▸";display:inline-block;width:13px;margin-left:-13px;color:var(--soft)}
details[open]>summary .name::before{content:"▾"}
.s{position:absolute;top:4px;height:14px;min-width:2px;border-radius:3px;overflow:hidden;display:flex;flex-wrap:wrap}
.s::before{content:"";width:4px;height:100%}
.s.after::before{width:11px}.tick.first{transform:none}
.s u{text-decoration:none;font:600 10.5px/14px FONT;color:var(--label);white-space:nowrap;padding-right:4px}
.s.cut u{color:var(--ink);background:var(--solid);border-radius:2px}
.s.thin{top:7px;height:10px;opacity:.35}.s.failed.thin{opacity:.85}.row.element .s.thin{display:none}
.s.needs{top:10px;height:0;border-top:2px dotted var(--c-needs);border-radius:0}
.s.slot,.s.human{top:7px;height:8px}
.beat{position:absolute;bottom:3px;height:3px;min-width:1px;border-radius:1px}
.beat.model{background:var(--model)}.beat.tool{background:var(--tool)}
.m{position:absolute;top:3px;margin-left:-8px;width:17px;height:17px;border:1.6px solid;border-radius:50%;z-index:2;
background:var(--card);font:700 11px/14px FONT;text-align:center}
.grid{position:absolute;inset:0 172px 0 190px;z-index:-1;pointer-events:none}
.grid i{position:absolute;top:0;bottom:0;border-left:1px solid var(--rule)}
.grid .pause{border:dashed var(--edge);border-width:0 1px;
background:repeating-linear-gradient(45deg,var(--hover) 0 4px,var(--rule) 4px 8px)}
.axis{position:sticky;top:0;z-index:5;background:var(--card);height:40px;border-top:0;
border-bottom:1px solid var(--edge)}
.axis .name{height:100%}.tick{position:absolute;bottom:4px;transform:translateX(-50%);font:400 11px FONT;
color:var(--soft);white-space:nowrap}.tick.paused{bottom:21px;color:var(--c-human);font-weight:600}
.cost{position:sticky;bottom:0;z-index:5;height:64px;background:var(--card);border-top:1px solid var(--edge)}
.cost .lane{padding-top:6px}.cost svg{width:100%;height:100%;display:block}.cost .name{line-height:62px}
.cost .facts{color:var(--c-plan);font-weight:600}
.area{fill:var(--c-plan);opacity:.13}.line{fill:none;stroke:var(--c-plan);stroke-width:2;vector-effect:non-scaling-stroke}
.cap{position:absolute;left:0;right:0;border-top:1.5px dashed var(--c-failed);color:var(--c-failed);
font:600 11px FONT;padding-left:4px}
footer{display:flex;flex-wrap:wrap;gap:6px 20px;padding:12px 24px 24px;color:var(--soft)}
footer span{display:flex;gap:7px;align-items:center}
footer .s,footer .m,footer .beat{position:static;width:18px;margin:0;flex:none}footer .m{width:17px}
"""
_HATCHED = ("slot", "human", "cut")
_LIGHT = {
    "ground": "#f8fafc",
    "card": "#ffffff",
    "ink": "#0f172a",
    "soft": "#64748b",
    "rule": "#eef2f7",
    "edge": "#cbd5e1",
    "hover": "#94a3b81f",
    "solid": "#f1f5f9",
    "label": "#ffffff",
    "model": "#4338ca",
    "tool": "#0d9488",
}
_DARK = {
    "ground": "#0b1120",
    "card": "#111827",
    "ink": "#e5e7eb",
    "soft": "#94a3b8",
    "rule": "#1f2937",
    "edge": "#475569",
    "hover": "#94a3b81a",
    "solid": "#1e293b",
    "label": "#0b1120",
    "model": "#818cf8",
    "tool": "#2dd4bf",
}


def style() -> str:
    """Return the style sheet."""
    kinds = [f".s.{kind}{{background:{_ground(kind)}}}.m.{kind}{{color:var(--c-{kind})}}" for kind in COLOURS]
    light = {**_LIGHT, **{f"c-{kind}": pair[0] for kind, pair in COLOURS.items()}}
    dark = {**_DARK, **{f"c-{kind}": pair[1] for kind, pair in COLOURS.items()}}
    return (
        f":root{{color-scheme:light dark;{_variables(light)}}}"
        f"@media(prefers-color-scheme:dark){{:root{{{_variables(dark)}}}}}"
        f"{_PLAIN.replace('FONT', FONT)}{''.join(kinds)}"
    )


def _variables(values: dict[str, str]) -> str:
    return "".join(f"--{name}:{value};" for name, value in values.items())


def _ground(kind: str) -> str:
    if kind == "needs":
        return "none"
    colour = f"var(--c-{kind})"
    if kind not in _HATCHED:
        return colour
    faint = f"color-mix(in srgb,{colour} 25%,transparent)"
    return f"repeating-linear-gradient(135deg,{colour} 0 2px,{faint} 2px 6px)"
