// What the two processes of this system share: where their servers are, and how both join Socket.IO's cluster.
import { createAdapter } from "@socket.io/redis-streams-adapter";
import { Redis } from "ioredis";

export const QUEUE = "notifications";
export const PORT = Number(process.env.COMPARE_PORT);
export const MONGODB = process.env.COMPARE_MONGODB ?? "";
const REDIS_PORT = Number(process.env.COMPARE_REDIS_PORT);

// Priorities of BullMQ: the lower, the sooner.
export const PRIORITIES = { urgent: 1, high: 2, normal: 3, low: 4 };

/**
 * A connection to Redis. BullMQ asks for `maxRetriesPerRequest: null` where a worker blocks on it; where HTTP requests
 * wait for it, its guide advises to fail soon instead.
 * @param {object} options
 */
export const redis = (options = {}) => new Redis({ host: "127.0.0.1", port: REDIS_PORT, ...options });

/** The adapter of the documentation's table that has both a cluster and connection state recovery. */
export const adapter = () => createAdapter(redis());

/** @param {string} user */
export const room = (user) => `user:${user}`;
