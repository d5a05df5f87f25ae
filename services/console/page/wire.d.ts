// What the console answers; services/console/http/openapi.py says more about each.

export interface Problem {
  title: string;
  status: number;
  detail: string;
  errors?: { pointer: string; code: string; detail: string }[];
}

export type Status = "ok" | "degraded" | "failing";
export type Severity = "critical" | "warning" | "info";
type Known = number | null;

export interface Lane {
  lane: string;
  workers: number;
  ready: number;
  accepted_per_s: Known;
  stored_per_s: Known;
  delivered_per_s: Known;
  lag_records: Known;
  lag_seconds: Known;
  pending: Known;
  oldest_pending_s: Known;
  delivery_p99_s: Known;
  objective_s: number;
}

export interface Queue {
  name: string;
  lag_records: Known;
  lag_seconds: Known;
}

export interface Gateway {
  name: string;
  address: string;
  status: Status | "";
  is_ready: boolean;
  connections: Known;
  users: Known;
  catching_up: Known;
  receipts_buffered: Known;
  mailbox: Known;
  pushed_per_s: Known;
}

export interface Process {
  name: string;
  address: string;
  role: string;
  status: Status | "";
  is_ready: boolean;
  reasons: string[];
  uptime_s: Known;
  cpu_cores: Known;
  memory_bytes: Known;
}

export interface Trouble {
  rule: string;
  title: string;
  severity: Severity;
  what: string;
  cause: string;
  cure: string;
  runbook: string;
  seen_by: string[];
  since: string | null;
}

export interface Point {
  at: number;
  values: Known[];
}

export interface Series {
  chart: string;
  label: string;
  unit: "per second" | "seconds" | "number";
}

export interface Charts {
  every_s: number;
  series: Series[];
  points: Point[];
}

export interface Overview {
  at: string;
  status: Status;
  reasons: string[];
  figures: {
    connections: Known;
    dead_letters: Known;
    unaccounted: Known;
    mailboxes_free: Known;
    store_free_ratio: Known;
  };
  lanes: Lane[];
  queues: Queue[];
  gateways: Gateway[];
  troubles: Trouble[];
  processes: Process[];
  left_out: number;
  point: Point;
}

export interface Content {
  text: string;
  encoding?: "utf-8" | "base64";
}

export interface Header {
  name: string;
  value: Content | null;
}

export interface KafkaRecord {
  value: Content;
  key: Content | null;
  headers: Header[];
}

export interface Letter {
  id: string;
  state: string;
  at: string;
  reason: string;
  error: string;
  topic: string;
  partition: number;
  offset: number;
  attempts: number;
  replays: number;
  first_seen: string;
  last_seen: string;
  size: number;
  edited: boolean;
  notification: string | null;
  recipient: string | null;
  sender: string | null;
  type: string | null;
  obstacle: string | null;
}

export interface LetterDetails extends Letter {
  original: KafkaRecord;
  replayed: KafkaRecord;
  fault: string | null;
  edited_by: string | null;
  edited_at: string | null;
  left_out: number;
  sha256: string;
  deaths: { at: string; reason: string; error: string; place: string; replays: number }[];
  sends: { at: string; by: string; replays: number; place?: string; error?: string }[];
  purge_at: string;
}

export interface Letters {
  items: Letter[];
  next: string | null;
}

export interface Replayed {
  done: number;
  failed: number;
  passed_over: number;
  results: { id: string; done: boolean; detail: string }[];
  next: string | null;
  stopped: boolean;
}

export interface Purged {
  purged: number;
  next: string | null;
}

export interface Story {
  id: string;
  ending: string;
  summary: string;
  cure: string;
  steps: { at: string | null; what: string; detail: string }[];
  notes: string[];
}

export interface User {
  user: string;
  sessions: { mailbox: number; epoch: number; since: string; gateway: string }[];
  pending: Record<string, { count: number; since: string | null }>;
  unread: number;
  throttled: number;
  last_acknowledged: { id: string; lane: string; at: string } | null;
  tokens_since: string | null;
}

export interface AuditEntry {
  id: string;
  at: string;
  who: string;
  via: string;
  action: string;
  about: Record<string, unknown>;
  outcome: string;
  detail: string;
  ended_at: string | null;
}

export interface AuditPage {
  items: AuditEntry[];
  next: string | null;
}
