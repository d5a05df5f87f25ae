// clarion.d.ts declares what clarion.js exports, member by member, neither more nor less. Only the type checker reads
// this file. An import of ../src/clarion.js finds the declarations; "inferred/clarion.js" (see tsconfig.json) is the
// code itself, with the types that its comments and bodies give it.
import type * as packaged from "@clarion/client";
import type * as inferred from "inferred/clarion.js";
import type * as declared from "../src/clarion.js";

type Class = abstract new (...given: never) => unknown;

/** Whether two types are the same. That each can be assigned to the other is not enough: methods may differ then. */
type IsSame<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;

/** A member with its type and whether it is read-only. What may be absent is the same as what may be undefined. */
type Member<T, K extends keyof T> = { [P in K]-?: [T[P]] };

/** Names of the members that only one of the two has, or has otherwise. */
type Different<A, B> = {
  [K in keyof A | keyof B]: K extends keyof A & keyof B
    ? IsSame<Member<A, K>, Member<B, K>> extends true
      ? never
      : K
    : K;
}[keyof A | keyof B];

type DifferentClass<A extends Class, B extends Class> =
  | Different<InstanceType<A>, InstanceType<B>>
  | Different<{ constructor: ConstructorParameters<A> }, { constructor: ConstructorParameters<B> }>
  | Exclude<Different<A, B>, "prototype">;

/** Compiles when there is nothing to name; otherwise the error names it. */
declare function nothing<_Names extends never>(): void;

nothing<Exclude<Different<typeof declared, typeof inferred>, "Clarion" | "ClarionError">>();
nothing<DifferentClass<typeof declared.Clarion, typeof inferred.Clarion>>();
nothing<DifferentClass<typeof declared.ClarionError, typeof inferred.ClarionError>>();

// who installs the package gets the same declarations
nothing<Different<typeof declared, typeof packaged>>();
