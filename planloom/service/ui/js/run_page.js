/** One run, live: how it stands, what waits, its graph, and everything behind it. */

import { addressOf, readAddress } from "./address.js";
import { Approvals } from "./approvals.js";
import { showCosts } from "./costs.js";
import { showDecisions } from "./decisions.js";
import { element } from "./element.js";
import { Graph } from "./graph.js";
import { NodePanel } from "./node_panel.js";
import { showNodes } from "./nodes_table.js";
import { Refresher } from "./refresher.js";
import { RunHead } from "./run_head.js";
import { Stream } from "./stream.js";
import { Story, stateAfter } from "./story.js";
import { Tabs } from "./tabs.js";
import { showTimeline } from "./timeline.js";
import { showVersions } from "./versions.js";

/** @typedef {import("./shapes.js").RunRecord} RunRecord */

const REFRESH_MS = 700;

export class RunPage {
  #story = new Story();
  /** @type {RunRecord | null} */
  #record = null;
  #closed = false;
  #following = false;
  #dropped = false;
  /** @type {HTMLElement | SVGElement | null} what a node was opened from */
  #opener = null;

  /**
   * @param {import("./api.js").Api} api
   * @param {HTMLElement} root
   * @param {import("./address.js").Address} address of the run, with the node that is looked at and the view
   * @param {(error: unknown) => void} onFailed
   */
  constructor(api, root, { parts: [, runId, nodeId = ""], query }, onFailed) {
    this.title = `Run ${runId}`;
    this.api = api;
    this.root = root;
    this.runId = runId;
    this.nodeId = nodeId;
    this.view = query.view ?? "";
    this.onFailed = onFailed;
    this.path = `/runs/${encodeURIComponent(runId)}`;
    this.refresher = new Refresher(() => this.#refresh(), REFRESH_MS);
    this.stream = new Stream(api, runId, (news) => this.#take(news), (connected) => this.#connected(connected));
    this.head = new RunHead(api, this.path, () => this.#goOn());
    this.approvals = new Approvals(api, this.path, () => this.#goOn());
    this.graph = new Graph((id) => this.#choose(id));
    this.panel = new NodePanel((id) => this.#choose(id));
    this.tabs = new Tabs(this.#panels(), this.view, (name) => this.#look(name));
  }

  async open() {
    const body = element("div", { class: "run-body" }, this.tabs.root, this.panel.root);
    this.root.replaceChildren(this.head.root, this.approvals.root, body);
    await this.#load();
    this.#follow();
  }

  close() {
    this.#closed = true;
    this.stream.stop();
    this.refresher.stop();
    this.head.stop();
    this.graph.stop();
  }

  /**
   * @param {import("./address.js").Address} address
   * @returns {boolean} whether it is of this run
   */
  goTo({ parts: [kind, runId, nodeId = ""], query }) {
    if (kind !== "runs" || runId !== this.runId) return false;
    const before = this.nodeId;
    this.nodeId = nodeId;
    if ((query.view ?? "") !== this.view) this.tabs.show((this.view = query.view ?? ""));
    this.graph.choose(this.nodeId);
    this.#showNode();
    if (this.nodeId && this.nodeId !== before) this.panel.focus();
    const at = document.activeElement;
    if (!this.nodeId && before && (at === document.body || this.panel.root.contains(at))) this.#back(before);
    return true;
  }

  /**
   * Go back to where a node was opened.
   *
   * @param {string} nodeId
   */
  #back(nodeId) {
    if (this.#opener?.isConnected) this.#opener.focus();
    else this.graph.focus(nodeId);
  }

  /**
   * What happened while the service was away may be no event: another process may have taken the run up, or none.
   *
   * @param {boolean} connected
   */
  #connected(connected) {
    this.head.connected(connected);
    if (connected && this.#dropped) void this.refresher.ask();
    this.#dropped = !connected;
  }

  #goOn() {
    this.#follow();
    void this.refresher.ask();
  }

  /** Follow the events, unless that is done already; a run that was over may be taken up again. */
  #follow() {
    if (this.#following || this.#closed) return;
    this.#following = true;
    this.stream
      .follow()
      .catch((error) => this.#closed || this.onFailed(error))
      .finally(() => {
        this.#following = false;
        if (!this.#closed) void this.refresher.ask();
      });
  }

  #panels() {
    const panel = (
      /** @type {string} */ name,
      /** @type {(root: HTMLElement, record: RunRecord, story: Story) => void} */ show,
    ) => {
      const root = element("div", { class: "panel" });
      return { name, root, update: () => this.#record && show(root, this.#record, this.#story) };
    };
    const graph = panel("Graph", (_, record) => this.graph.update(record.graph, record.nodes, record.critical_path, record.status));
    graph.root.append(this.graph.root);
    const choose = (/** @type {string} */ id) => this.#choose(id);
    return [
      graph,
      panel("Nodes", (root, record) => showNodes(root, record, choose)),
      panel("Timeline", (root, record, story) => showTimeline(root, record, story, choose)),
      panel("Plan", (root, _, story) => showVersions(root, story)),
      panel("Decisions", (root, record, story) => showDecisions(root, record, story, choose)),
      panel("Cost", (root, record, story) => showCosts(root, record, story, choose)),
    ];
  }

  /** @param {import("./stream.js").Numbered[]} news */
  #take(news) {
    for (const { id, event } of news) {
      this.#story.take(event);
      const state = stateAfter(event);
      if (state && id > (this.#record?.last_event_id ?? 0)) this.graph.light(event.node_id, state);
    }
    const last = news[news.length - 1].id;
    if (last > (this.#record?.last_event_id ?? 0)) void this.refresher.ask();
    else if (last === this.#record?.last_event_id) this.#show();
  }

  async #refresh() {
    try {
      await this.#load();
    } catch (error) {
      if (!this.#closed) this.head.told(error);
    }
  }

  async #load() {
    const record = await this.api.get(this.path);
    if (this.#closed) return;
    this.#record = record;
    if (record.live || record.last_event_id > this.stream.last) this.#follow();
    this.#show();
  }

  #show() {
    if (!this.#record) return;
    document.title = `${this.#record.name}: ${this.#record.status} · Planloom`;
    this.head.update(this.#record);
    this.approvals.update(this.#record, this.#story);
    this.tabs.update();
    this.graph.choose(this.nodeId);
    this.#showNode();
  }

  #showNode() {
    if (this.#record) this.panel.update(this.nodeId, this.#record, this.#story);
  }

  /** @param {string} nodeId */
  #choose(nodeId) {
    const at = document.activeElement;
    const opens = nodeId && !this.panel.root.contains(at) && (at instanceof HTMLElement || at instanceof SVGElement);
    if (opens) this.#opener = at;
    location.hash = addressOf(["runs", this.runId, nodeId], { view: this.view });
  }

  /** @param {string} name of a view; the node is that of the address, which may have changed and not been told yet */
  #look(name) {
    this.view = name.toLowerCase();
    history.replaceState(null, "", addressOf(readAddress().parts, { view: this.view }));
  }
}
