log, type Lifecycle
//// code
// The start and the end of an instance.
export const lifecycle: Lifecycle = {
  init(environment) {
    // The place to read and check the config: an exception stops the broker's start, with its text.
    log.info(`${environment.name} starts`);
  },
};
