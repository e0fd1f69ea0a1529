/* SPDX-License-Identifier: Apache-2.0 */
#include "store/http.h"

enum status http_get_new(const struct http_options *options, struct fault *why,
                         struct http *out)
{
    return http_curl_new(options, why, out);
}
