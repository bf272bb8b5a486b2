class FilterModule:
    def filters(self):
        return {"json_query_like": lambda sites: {site["name"]: len(site["backends"]) for site in sites}}
