/**
 * Somebody who has everything that two organisations got of their visitors, and tries to find out which of them are the
 * same people. What is a mark is not known beforehand: every value, part of a value, difference and order counts.
 */

/** What an organisation got at one visit: values by where they stood. */
export type Received = Readonly<Record<string, string | number>>;

/** For each visitor of the first organisation the index of the one believed to be the same at the second. */
type Matching = readonly number[];

const GRAM = 7;
const MIN_PART = 3;

/** Parts of a value by which it may be recognised: itself, its words, its runs of characters. */
const partsOf = (value: string): Set<string> => {
  const parts = new Set<string>([`=${value}`]);
  for (const word of value.split(/[^A-Za-z0-9]+/)) if (word.length >= MIN_PART) parts.add(`=${word}`);
  for (let at = 0; at + GRAM <= value.length; at += 1) parts.add(`~${value.slice(at, at + GRAM)}`);
  return parts;
};

type Traces = readonly ReadonlySet<string>[];

/** What each visit may be recognised by at one place, or by what lies between two numbers; by place. */
const tracesOf = (all: readonly Received[]): Map<string, Traces> => {
  // What is the same for everybody tells nobody from another.
  const places = Object.keys(all[0] ?? {}).filter((place) => new Set(all.map((one) => one[place])).size > 1);
  const numbers = places.filter((place) => all.every((one) => typeof one[place] === 'number'));
  const found = new Map<string, Traces>();
  for (const place of places) {
    found.set(
      place,
      all.map((one) => partsOf(String(one[place] ?? ''))),
    );
  }
  for (const place of numbers) {
    for (const other of numbers) {
      if (place >= other) continue;
      found.set(
        `${other} - ${place}`,
        all.map((one) => new Set([String(Number(one[other]) - Number(one[place]))])),
      );
    }
  }
  return found;
};

/** Who has a trace. */
type Owners = ReadonlyMap<string, readonly number[]>;

const ownersOf = (traces: Traces): Owners => {
  const owners = new Map<string, number[]>();
  traces.forEach((found, at) => {
    for (const trace of found) {
      const sharing = owners.get(trace);
      if (sharing === undefined) owners.set(trace, [at]);
      else sharing.push(at);
    }
  });
  return owners;
};

/** Pairs visitors by what few others have: the rarer a common trace, the more it counts. */
const byRarity = (left: Traces, right: Owners, visitors: number): Matching | undefined => {
  let shared = false;
  const matching = left.map((found) => {
    const scores = new Float64Array(visitors);
    for (const trace of found) {
      const sharing = right.get(trace);
      if (sharing === undefined || sharing.length === visitors) continue;
      shared = true;
      for (const at of sharing) scores[at] = (scores[at] ?? 0) + Math.log(visitors / sharing.length);
    }
    return scores.indexOf(Math.max(...scores));
  });
  return shared ? matching : undefined;
};

/** Pairs visitors by their place in an order. */
const byOrder = (ours: readonly Received[], theirs: readonly Received[], name: string): Matching => {
  const sorted = (all: readonly Received[]): number[] =>
    all
      .map((_, at) => at)
      // The lists stand in the order of the truth: among equals nothing may follow from it.
      .map((at) => ({ at, luck: Math.random() }))
      .sort((one, other) => one.luck - other.luck)
      .map(({ at }) => at)
      .sort((one, other) => {
        const [a, b] = [all[one]?.[name] ?? '', all[other]?.[name] ?? ''];
        if (typeof a === 'number' && typeof b === 'number') return a - b;
        return String(a).localeCompare(String(b), 'en');
      });
  const [left, right] = [sorted(ours), sorted(theirs)];
  const matching = new Array<number>(ours.length).fill(-1);
  left.forEach((at, place) => {
    matching[at] = right[place] ?? -1;
  });
  return matching;
};

/** How many visitors each of the attacker's ways matches rightly; the first `n` of both lists are the same people. */
export const link = (ours: readonly Received[], theirs: readonly Received[]): Map<string, number> => {
  const right = (matching: Matching): number => matching.filter((found, at) => found === at).length;
  const names = Object.keys(ours[0] ?? {}).filter((name) => theirs.every((one) => one[name] !== undefined));
  const ways = new Map(names.map((name) => [`order of ${name}`, right(byOrder(ours, theirs, name))]));
  const theirOwners = new Map(Array.from(tracesOf(theirs), ([place, traces]) => [place, ownersOf(traces)]));
  /** Where a trace turns up at all: most pairs of places have nothing in common. */
  const placesOf = new Map<string, Set<string>>();
  for (const [place, owners] of theirOwners) {
    for (const trace of owners.keys()) {
      const places = placesOf.get(trace);
      if (places === undefined) placesOf.set(trace, new Set([place]));
      else places.add(place);
    }
  }
  for (const [place, left] of tracesOf(ours)) {
    const common = new Set(left.flatMap((found) => [...found].flatMap((trace) => [...(placesOf.get(trace) ?? [])])));
    for (const other of common) {
      // Differences mean something only beside the same difference; any other value may turn up anywhere.
      if (place !== other && (place.includes(' - ') || other.includes(' - '))) continue;
      const matching = byRarity(left, theirOwners.get(other) ?? new Map(), theirs.length);
      if (matching !== undefined) ways.set(`${place} like ${other}`, right(matching));
    }
  }
  return ways;
};

/**
 * The number of right matches that chance alone reaches once in a thousand attacks or less. By chance one is right on
 * average, whatever the number of visitors (fixed points of a random permutation: Poisson with mean 1).
 */
export const beyondChance = (ways: number): number => {
  let probability = Math.exp(-1);
  let tail = 1;
  for (let count = 0; ; count += 1) {
    if (tail * ways < 0.001) return count;
    tail -= probability;
    probability /= count + 1;
  }
};
