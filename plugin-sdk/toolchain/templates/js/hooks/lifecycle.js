log
//// code
// The start and the end of an instance.
/** @type {import("midge").Lifecycle} */
export const lifecycle = {
  init(environment) {
    // The place to read and check the config: an exception stops the broker's start, with its text.
    log.info(`${environment.name} starts`);
  },
};
