/** A small volume of its own, for filling it up: a real tmpfs, where one may be mounted. */
import { execFileSync } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'

/** Mounts 8 MB for the tests of one file, and takes them away after the last. */
export function mountVolume(): { readonly volume: string; readonly mounted: boolean } {
  const volume = mkdtempSync(join(tmpdir(), 'volume-'))
  const mounted = mount(volume)
  afterAll(() => {
    if (mounted) execFileSync('umount', [volume])
    rmSync(volume, { recursive: true })
  })
  return { volume, mounted }
}

function mount(folder: string): boolean {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'tmpfs', folder], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

/** Takes all that is left of the volume. */
export function fill(path: string): void {
  const file = openSync(path, 'w')
  try {
    for (const size of [65_536, 4096, 1]) {
      try {
        while (writeSync(file, Buffer.alloc(size)) > 0);
      } catch {
        // Full for pieces of this size.
      }
    }
  } finally {
    closeSync(file)
  }
}
