"""A registry that serves: the OCI distribution specification over knarr's content store.

    routes, problems, access, manifests     what is asked, refused, allowed, named: pure
    logins, door                            who is calling
    registry, uploads, rows                 the verbs and the state
    mirror                                  a pull-through cache of another registry
    describe, page, search                  for people
    application, answers                    requests to verbs, and what comes of them
    settings, serve                         a process of its own

May import: the registry room's client, content, store, events, http, spec, errors, ids, units.
"""
