/** Whoever asks in the console asks for a department, and for which is written down by name: nobody asks in nobody's name. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { type Fault, readForm } from '#protocol/fault.ts'
import { Code } from '#protocol/message.ts'
import { type Department, readDepartments } from '#trust/departments.ts'

/** By the name under which somebody signs in, the ids of departments. */
const Form = z.record(z.string().min(1).max(80), z.array(Code).min(1).max(100))

export const MANDATES = 'mandates.json'

export type Mandates = {
  /**
   * The departments that somebody asks for at an instant (epoch milliseconds): those that the file names and whose own leave
   * to ask, with its purposes, has not ended. `faults` says what is wrong with the file, and then there are none.
   */
  of(staff: string, now: number): { readonly departments: readonly Department[]; readonly faults: readonly Fault[] }
}

/** Reads `mandates.json` in the folder of data, beside `departments.json`; both anew each time, so that leave ends at once. */
export function openMandates(data: string): Mandates {
  return {
    of(staff, now) {
      const path = join(data, MANDATES)
      if (!existsSync(path)) return { departments: [], faults: [] }
      const faults: Fault[] = []
      const named = readForm({ file: MANDATES, text: readFileSync(path, 'utf8') }, Form, faults) ?? {}
      const ids = Object.hasOwn(named, staff) ? named[staff] : []
      const departments = readDepartments(join(data, 'departments.json')).filter(
        ({ id, expiresAt }) => ids?.includes(id) && now < Date.parse(expiresAt),
      )
      return { departments, faults }
    },
  }
}
