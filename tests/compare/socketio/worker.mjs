// The worker process: takes jobs, stores them in bulk, and emits each to its user's room through the cluster.
import { Worker } from "bullmq";
import { MongoClient } from "mongodb";
import { Server } from "socket.io";
import { adapter, MONGODB, QUEUE, redis, room } from "./settings.mjs";

const CONCURRENCY = 200; // the guide: 100 to 300 for jobs that wait for a database
const BULK_MS = 10;
const BULK_MOST = 500;
const DUPLICATE = 11000;

const mongo = await new MongoClient(MONGODB).connect();
const notifications = mongo.db("socketio").collection("notifications");
await notifications.createIndex({ recipient: 1, _id: 1 });
await notifications.createIndex({ job: 1 }, { unique: true }); // a job that is done again is stored once
const io = new Server({ adapter: adapter() });

/** @typedef {{ document: import("mongodb").Document, resolve: () => void, reject: (error: unknown) => void }} Waiting */

/** @type {Waiting[]} */
const waiting = [];
let isInserting = false;

/**
 * Have a document inserted with others that come within a moment.
 * @param {import("mongodb").Document} document
 */
const stored = (document) =>
  new Promise((resolve, reject) => {
    waiting.push({ document, resolve: () => resolve(undefined), reject });
    if (isInserting) return;
    isInserting = true;
    setTimeout(insert, BULK_MS);
  });

// One bulk after the other: of two at once the later could be emitted first, and a client that loses its connection
// between them would ask for what comes after the later one's offset.
const insert = async () => {
  while (waiting.length) await insertBulk(waiting.splice(0, BULK_MOST));
  isInserting = false;
};

/** @param {Waiting[]} bulk */
const insertBulk = async (bulk) => {
  try {
    await notifications.insertMany(
      bulk.map(({ document }) => document),
      { ordered: false },
    );
    for (const { resolve } of bulk) resolve();
  } catch (error) {
    const codes = [error.writeErrors ?? []].flat().map(({ code }) => code);
    const areOnlyDuplicates = codes.length > 0 && codes.every((code) => code === DUPLICATE);
    // only with them is it known that all are stored
    for (const { resolve, reject } of bulk) areOnlyDuplicates ? resolve() : reject(error);
  }
};

const worker = new Worker(
  QUEUE,
  async ({ id, data }) => {
    const { due_in_s, ...notification } = data;
    const document = { ...notification, job: id, created_at: new Date() };
    await stored(document);
    const { _id, job, ...sent } = document;
    io.to(room(notification.recipient)).emit("notification", sent, _id.toHexString());
  },
  { connection: redis({ maxRetriesPerRequest: null }), concurrency: CONCURRENCY },
);
worker.on("error", (error) => console.error("error: the worker:", error.message));
worker.on("failed", (job, error) => console.error("error: a job failed:", job?.id, error.message));
await worker.waitUntilReady();
console.log("ready");

process.on("SIGTERM", async () => {
  await worker.close();
  await io.close();
  await mongo.close();
  process.exit(0);
});
