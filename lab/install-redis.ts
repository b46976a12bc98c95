import { spawnSync } from 'node:child_process'
import { dockerAnswers, redisImage } from './docker.js'
import { findProgram, findRedis } from './find-redis.js'
import { startRedis } from './redis.js'

// Debian starts a server as soon as it is installed, and at every boot; nobody asked for that here.
const aptScript = `set -e
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
  trap 'rm -f $policy' EXIT
  trap 'exit 130' INT TERM HUP
  printf '#!/bin/sh\\nexit 101\\n' > $policy
  chmod 755 $policy
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends redis-server > /dev/null
if command -v systemctl > /dev/null; then systemctl disable -q redis-server > /dev/null 2>&1 || true; fi`

/**
 * Makes sure that there is a redis-server: found, else installed, else in Docker; prints a line on what it does and
 * on RedisTimeSeries. Rejects with one line that says what to install.
 */
export async function installRedis(): Promise<void> {
  if (!findRedis().server) installPackage()
  const { server, module } = findRedis()
  if (!server) pullImage()
  const redis = await startRedis()
  await redis.stop()
  console.log(`redis-server: ${server ?? `${redisImage} in Docker`}`)
  const found = server && module ? module : 'built into the server'
  console.log(`RedisTimeSeries: ${redis.hasTimeSeries ? found : 'not found, so only sorted sets are used'}`)
}

function installPackage(): void {
  if (findProgram('apt-get')) {
    const isRoot = process.getuid?.() === 0
    if (!isRoot && !succeeds('sudo', '-n', 'true')) return
    console.log('Installing redis-server with apt-get …')
    if (isRoot) run('sh', '-c', aptScript)
    else run('sudo', '-n', 'sh', '-c', aptScript)
  } else if (findProgram('brew')) {
    console.log('Installing redis with Homebrew …')
    run('brew', 'install', '--quiet', 'redis')
  }
}

function pullImage(): void {
  if (!dockerAnswers()) {
    throw new Error(
      'There is no redis-server (6 or newer). Install one (Debian: apt-get install redis-server; macOS: brew install redis) or start Docker.',
    )
  }
  if (succeeds('docker', 'image', 'inspect', redisImage)) return
  console.log(`Fetching ${redisImage} for Docker …`)
  run('docker', 'pull', '--quiet', redisImage)
}

function run(command: string, ...args: string[]): void {
  // Standard input is closed: nothing here may wait for an answer.
  spawnSync(command, args, { stdio: ['ignore', 'inherit', 'inherit'] })
}

function succeeds(command: string, ...args: string[]): boolean {
  return spawnSync(command, args, { stdio: 'ignore' }).status === 0
}
