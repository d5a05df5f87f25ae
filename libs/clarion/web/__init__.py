"""What all HTTP services of Clarion share: callers, room for requests, bodies, problem details, the admin port."""
