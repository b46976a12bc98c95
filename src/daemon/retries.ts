import { mergeTasks } from '../decide/tasks.js'
import type { Task } from '../model.js'

/** Failed tasks that wait to be tried again, one for each symbol and dataset however many changes come meanwhile. */
export class Retries {
  private readonly waiting = new Map<string, Task>()

  /** Takes in what has failed; returns the tasks for which no other waits yet. */
  add(failed: readonly Task[]): Task[] {
    return failed.filter((task) => {
      const id = idOf(task)
      const waiting = this.waiting.get(id)
      this.waiting.set(id, waiting ? mergeTasks(waiting, task) : task)
      return waiting === undefined
    })
  }

  /** Takes a task out, as it has become while it waited. */
  take(task: Task): Task {
    const id = idOf(task)
    const waiting = this.waiting.get(id)
    this.waiting.delete(id)
    return waiting ?? task
  }
}

function idOf({ symbol, dataset }: Task): string {
  return JSON.stringify([symbol, dataset])
}
