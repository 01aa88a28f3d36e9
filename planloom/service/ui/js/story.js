/** What the events of a run tell beyond its record: nodes in full, plan versions, tool calls, cost by rung. */

/** @typedef {import("./shapes.js").RunEvent} RunEvent */
/** @typedef {import("./shapes.js").PlannedNode} PlannedNode */
/** @typedef {{ version: number, purpose: string, at: number, nodes: Record<string, PlannedNode> , output: unknown,
 *   warnings: any[] }} PlanVersion */
/** @typedef {{ rung: string, calls: number, failed: number, input: number, output: number, usd: number,
 *   seconds: number }} RungCost */
/** @typedef {{ rung: string, name: string, status: string, done: number, total: number }} Batch */

/** @type {Record<string, import("./shapes.js").NodeState>} */
const STATES = {
  AttemptStarted: "running",
  NodeExpanded: "running",
  NodeCommitted: "done",
  NodeFailed: "failed",
  NodeSkipped: "skipped",
  NodeHeld: "held",
};

export class Story {
  constructor() {
    /** @type {PlanVersion[]} */
    this.versions = [];
    /** @type {Map<string, PlannedNode>} */
    this.nodes = new Map();
    /** @type {Map<string, RunEvent[]>} tool calls by node */
    this.tools = new Map();
    /** @type {Map<string, RunEvent[]>} samples of votes by node */
    this.samples = new Map();
    /** @type {Map<string, Batch>} what an attempt waits in, by node and attempt */
    this.batches = new Map();
    /** @type {Map<string, Batch>} by name */
    this.named = new Map();
    /** @type {Map<string, string>} node and attempt by call */
    this.calls = new Map();
    /** @type {Map<string, RungCost>} */
    this.rungs = new Map();
    /** @type {RunEvent[]} what the planner was asked and what came of it, and what was done to the run as a whole */
    this.planning = [];
    /** @type {RunEvent[]} */
    this.approvals = [];
    /** @type {Map<string, number>} elements of map nodes */
    this.elements = new Map();
  }

  /** @param {RunEvent} event */
  take(event) {
    switch (event.type) {
      case "NodePlanned":
        this.nodes.set(event.node.id, event.node);
        break;
      case "PlanReady":
        this.#takePlan(event);
        break;
      case "ToolCalled":
        added(this.tools, event);
        break;
      case "SampleDrawn":
        added(this.samples, event);
        break;
      case "CallStarted":
        this.calls.set(event.call_id, placeOf(event));
        break;
      case "BatchAdvanced":
        this.#takeBatch(event);
        break;
      case "CallEnded":
        this.#takeCall(event);
        break;
      case "NodeExpanded":
        this.elements.set(event.node_id, event.elements);
        break;
      case "ApprovalGiven":
        this.approvals.push(event);
        break;
      case "PlanRequested":
      case "PlanDrafted":
      case "PlansCompared":
      case "PlanRejected":
      case "ReplanFailed":
      case "BudgetReached":
      case "BudgetRaised":
      case "RunResumed":
        this.planning.push(event);
        break;
    }
  }

  /** @param {RunEvent} event */
  #takePlan(event) {
    const { version, nodes, output } = event.plan;
    this.versions.push({ version, purpose: event.purpose, at: event.at, nodes, output, warnings: event.warnings });
    for (const node of Object.values(nodes)) this.nodes.set(node.id, node);
    this.planning.push(event);
  }

  /** @param {RunEvent} event */
  #takeBatch({ batch: name, batch_id, rung, status, done, total, calls }) {
    const batch = this.named.get(name) ?? { rung, name, status, done, total };
    Object.assign(batch, { name: batch_id || name, status, done, total });
    this.named.set(name, batch);
    for (const call of Object.keys(calls)) this.batches.set(this.calls.get(call) ?? "", batch);
  }

  /** @param {RunEvent} event */
  #takeCall(event) {
    const rung = event.rung || event.model;
    const sum = this.rungs.get(rung) ?? { rung, calls: 0, failed: 0, input: 0, output: 0, usd: 0, seconds: 0 };
    sum.calls += 1;
    sum.failed += event.error ? 1 : 0;
    sum.input += event.usage.input_tokens;
    sum.output += event.usage.output_tokens;
    sum.usd += event.cost_usd;
    sum.seconds += event.seconds;
    this.rungs.set(rung, sum);
  }
}

/**
 * @param {{ node_id: string | null, attempt: number } | RunEvent} event
 * @returns {string} what it is about, as a key
 */
export function placeOf({ node_id, attempt }) {
  return `${node_id}\n${attempt}`;
}

/**
 * @param {Map<string, RunEvent[]>} events by node
 * @param {RunEvent} event
 */
function added(events, event) {
  const list = events.get(event.node_id);
  if (list) list.push(event);
  else events.set(event.node_id, [event]);
}

/**
 * @param {RunEvent} event
 * @returns {import("./shapes.js").NodeState | null} the state that an event puts its node in
 */
export function stateAfter(event) {
  return STATES[event.type] ?? null;
}
