// Package runner knows pipelines: their YAML as pin's users wrote it, what is
// wrong with one, the graph of its jobs, and how a run of it goes through its
// states. It hands each job to an [Executor] and never knows which engine that
// is, where the pipeline came from, or who watches.
package runner
