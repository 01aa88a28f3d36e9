/**
 * What the service answers, as far as this page reads it; the OpenAPI document has the whole.
 *
 * @typedef {{ pointer: string, detail: string }} Fault
 * @typedef {"pending"|"running"|"done"|"failed"|"skipped"|"held"|"removed"} NodeState
 * @typedef {{ run_id: string, workflow: string, status: string, live: boolean, started_at: number,
 *   ended_at: number | null, cost_usd: number, rehearsal: boolean }} RunLine
 * @typedef {{ id: string, kind: string, goal: string, needs: string[], tool: string | null, tools: string[],
 *   model: string | null, effort: string, effect: string, approve: boolean, when: string | null, map: boolean,
 *   checks: number }} GraphNode
 * @typedef {{ check: string, passed: boolean, expected: string, found: string, where: string }} Evidence
 * @typedef {{ input_tokens: number, output_tokens: number, cached_tokens: number, reasoning_tokens: number,
 *   calls: number }} Usage
 * @typedef {{ attempt: number, rung: string, model: string, started_at: number, ended_at: number | null, ok: boolean,
 *   failure: string, message: string, evidence: Evidence[], usage: Usage, cost_usd: number, tool_calls: number,
 *   trace: string }} Attempt
 * @typedef {{ key: string, tool: string, args: unknown, attempt: number, outcome: string | null, result: unknown,
 *   error: string }} Effect
 * @typedef {{ id: string, author: string, round: number, subject: string, statement: string, value: unknown,
 *   confidence: number | null, sources: string[], supersedes: string | null, endorsed_by: string[] }} Claim
 * @typedef {{ claims: [string, string], keep: string, reason: string }} Ruling
 * @typedef {{ attempt: number, stopped: string | null, dissent: { claims: [string, string], subject: string,
 *   reason: string }[], board: { version: number, round: number, claims: Claim[], withdrawn: string[],
 *   rulings: Ruling[], merge: { result: unknown, decided: boolean, question: string } | null } }} Panel
 * @typedef {{ id: string, state: NodeState, goal: string, attempts: Attempt[], output: unknown, reason: string,
 *   usage: Usage, cost_usd: number, started_at: number | null, ended_at: number | null, plan_version: number,
 *   reused: boolean, effects: Effect[], panel: Panel | null }} NodeRecord
 * @typedef {{ node_id: string, attempt: number, action: string, reason: string, rung: string, at: number }} Decision
 * @typedef {{ node_id: string | null, reason: string, bound_to: string, kind: string, shown: unknown,
 *   held_at: number }} Pending
 * @typedef {{ code: string, message: string, node_id: string | null, field: string }} Finding
 * @typedef {{ run_id: string, name: string, status: string, live: boolean, inputs: Record<string, unknown>,
 *   output: unknown, untrusted: string[], error: string, nodes: Record<string, NodeRecord>, graph: GraphNode[], critical_path: string[],
 *   decisions: Decision[], pending: Pending[], findings: Finding[], usage: Usage, cost_usd: number,
 *   plan_version: number, replans: number, started_at: number, ended_at: number | null, seconds: number,
 *   rehearsal: boolean, last_event_id: number }} RunRecord
 * @typedef {{ type: string, at: number, [field: string]: any }} RunEvent
 * @typedef {{ id: string, [field: string]: any }} PlannedNode a node with all its fields
 * @typedef {{ type?: string | string[], enum?: unknown[], description?: string, default?: unknown, minimum?: number,
 *   maximum?: number, minLength?: number, maxLength?: number, properties?: Record<string, any>,
 *   required?: string[], items?: any, [key: string]: unknown }} Schema
 * @typedef {{ name: string, description: string, plan: string }} WorkflowLine
 * @typedef {WorkflowLine & { inputs: { properties: Record<string, Schema>, required: string[] }, models: string[],
 *   graph: GraphNode[] }} WorkflowRecord
 * @typedef {{ calls_low: number, calls_high: number, usd_low: number | null, usd_high: number | null,
 *   rung: string }} Estimate
 * @typedef {{ name: string, plan: string, graph: GraphNode[], estimates: Record<string, Estimate>,
 *   warnings: Finding[] }} Explained
 * @typedef {{ name: string, right: number, wrong: number, unknown: number, strong_calls: number,
 *   cost_usd: number | null, cost_unknown: number, calls: Record<string, number>,
 *   unknowns: { kind: string, model: string, lack: string, questions: number }[] }} Rule
 * @typedef {{ runs: number, answers: number, questions: number, rules: Rule[], curves: { name: string, weak: number,
 *   strong: number, points: { share: number, accuracy: number }[] }[] }} Quality
 */
export {};
