/* SPDX-License-Identifier: Apache-2.0 */
/* The errors of the S3 test server, as one table: id, status, code, text. */

#ifndef TESTS_S3SERVER_S3SERVER_ERRORS_H
#define TESTS_S3SERVER_S3SERVER_ERRORS_H

/* Errors that have one code and one sentence. */
#define SRV_ERRORS(X)                                                          \
    X(ACCESS_DENIED, 403, "AccessDenied", "Access Denied")                     \
    X(BAD_DIGEST, 400, "BadDigest", "The digest is not that of the body.")     \
    X(CONFLICT, 409, "ConditionalRequestConflict",                             \
      "A conflicting operation came in between.")                              \
    X(INTERNAL, 500, "InternalError", "We encountered an internal error.")     \
    X(INVALID_ARGUMENT, 400, "InvalidArgument", "Invalid Argument")            \
    X(INVALID_DIGEST, 400, "InvalidDigest", "The Content-MD5 is not valid.")   \
    X(INVALID_PART, 400, "InvalidPart", "A part could not be found.")          \
    X(INVALID_PART_ORDER, 400, "InvalidPartOrder", "Parts do not ascend.")     \
    X(INVALID_RANGE, 416, "InvalidRange", "The range is not satisfiable")      \
    X(INVALID_REQUEST, 400, "InvalidRequest", "Invalid Request")               \
    X(INVALID_URI, 400, "InvalidURI", "Couldn't parse the URI.")               \
    X(KEY_TOO_LONG, 400, "KeyTooLongError", "Your key is too long")            \
    X(MALFORMED_AUTH, 400, "AuthorizationHeaderMalformed",                     \
      "The authorization header is malformed")                                 \
    X(MALFORMED_QUERY_AUTH, 400, "AuthorizationQueryParametersError",          \
      "The parameters of the query's authorization are not valid")             \
    X(MALFORMED_XML, 400, "MalformedXML", "The XML is not well-formed")        \
    X(METHOD, 405, "MethodNotAllowed", "Not allowed against this resource.")   \
    X(MISSING_LENGTH, 411, "MissingContentLength", "Content-Length is due.")   \
    X(NOT_IMPLEMENTED, 501, "NotImplemented",                                  \
      "A header or parameter implies what is not implemented")                 \
    X(NO_BUCKET, 404, "NoSuchBucket", "The bucket does not exist")             \
    X(NO_KEY, 404, "NoSuchKey", "The specified key does not exist.")           \
    X(NO_UPLOAD, 404, "NoSuchUpload", "The upload does not exist.")            \
    X(NO_VERSION, 404, "NoSuchVersion", "The version does not exist.")         \
    X(PART_NUMBER, 416, "InvalidPartNumber",                                   \
      "The requested partnumber is not satisfiable")                           \
    X(PRECONDITION, 412, "PreconditionFailed",                                 \
      "At least one of the pre-conditions you specified did not hold")         \
    X(SIGNATURE, 403, "SignatureDoesNotMatch",                                 \
      "The signature we calculated does not match the one you provided.")      \
    X(SKEWED, 403, "RequestTimeTooSkewed",                                     \
      "The difference between the request time and ours is too large.")        \
    X(TIMEOUT, 400, "RequestTimeout", "Nothing was read in time.")             \
    X(TOKEN, 400, "InvalidToken", "The provided token is not valid.")          \
    X(TOO_LARGE, 400, "EntityTooLarge", "The upload is too large")             \
    X(TOO_SMALL, 400, "EntityTooSmall", "A part is too small")                 \
    X(UNKNOWN_KEY, 403, "InvalidAccessKeyId",                                  \
      "The access key id does not exist in our records.")                      \
    X(WRONG_SHA, 400, "XAmzContentSHA256Mismatch",                             \
      "x-amz-content-sha256 is not that of the body.")

#endif /* TESTS_S3SERVER_S3SERVER_ERRORS_H */
