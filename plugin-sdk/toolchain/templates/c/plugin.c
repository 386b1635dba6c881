/* {{name}}: a Midge plugin.
 *
 * midge_plugin.h has what nearly every plugin needs, midge.h the whole contract; both are in build/ after the first
 * `midge plugin build`. A hook returns true with its answer, or false with an error: see midge_fail. */
#include "midge_plugin.h"
