// What this page uses of @dagrejs/dagre.
export class Graph {
  setGraph(label: { rankdir: "LR" | "TB"; nodesep: number; ranksep: number; marginx: number; marginy: number }): void;
  setDefaultEdgeLabel(label: () => object): void;
  setNode(id: string, label: { width: number; height: number }): void;
  setEdge(from: string, to: string): void;
  graph(): { width: number; height: number };
  node(id: string): { x: number; y: number };
  edge(from: string, to: string): { points: { x: number; y: number }[] };
}
export function layout(graph: Graph, options?: { ranker?: string; disableOptimalOrderHeuristic?: boolean }): void;
