"""The run: LangGraph shell, scheduler, router, plan patching. The only folder that imports langgraph."""
