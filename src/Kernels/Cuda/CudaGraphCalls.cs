namespace RepNoise.Kernels.Cuda;

/// <summary>The calls of the CUDA driver API that capture a stream and launch what was captured. Every status is 0 or for <see cref="CudaDriver.Describe"/>.</summary>
internal sealed unsafe class CudaGraphCalls
{
    /// <summary>CUDA_ERROR_GRAPH_EXEC_UPDATE_FAILURE: the graph differs in more than an update may change.</summary>
    public const int UpdateFailure = 910;

    /// <summary>CU_STREAM_CAPTURE_MODE_THREAD_LOCAL: calls that no capture allows are errors on its own thread; others, such as a finalizer's, go on.</summary>
    private const int ThreadLocal = 1;

    private readonly delegate* unmanaged<nint, int, int> beginCapture;
    private readonly delegate* unmanaged<nint, nint*, int> endCapture;
    private readonly delegate* unmanaged<nint*, nint, ulong, int> instantiate;
    private readonly delegate* unmanaged<nint, nint, UpdateInfo*, int> update;
    private readonly delegate* unmanaged<nint, nint, int> launch;
    private readonly delegate* unmanaged<nint, int> destroyGraph;
    private readonly delegate* unmanaged<nint, int> destroyExecutable;

    private CudaGraphCalls(Func<string, nint> find)
    {
        beginCapture = (delegate* unmanaged<nint, int, int>)find("cuStreamBeginCapture_v2");
        endCapture = (delegate* unmanaged<nint, nint*, int>)find("cuStreamEndCapture");
        instantiate = (delegate* unmanaged<nint*, nint, ulong, int>)find("cuGraphInstantiateWithFlags");
        update = (delegate* unmanaged<nint, nint, UpdateInfo*, int>)find("cuGraphExecUpdate_v2");
        launch = (delegate* unmanaged<nint, nint, int>)find("cuGraphLaunch");
        destroyGraph = (delegate* unmanaged<nint, int>)find("cuGraphDestroy");
        destroyExecutable = (delegate* unmanaged<nint, int>)find("cuGraphExecDestroy");
    }

    /// <summary>The calls of a driver, or null.</summary>
    /// <param name="find">Address of an entry point, 0 for none.</param>
    /// <param name="missing">The first that there is none of, or empty.</param>
    public static CudaGraphCalls? Create(Func<string, nint> find, out string missing)
    {
        string first = "";
        var calls = new CudaGraphCalls(name =>
        {
            nint address = find(name);
            if (address == 0 && first.Length == 0) first = name;
            return address;
        });
        missing = first;
        return first.Length == 0 ? calls : null;
    }

    /// <summary>From now on the stream's work is gathered and does not run.</summary>
    public int Begin(nint stream) => beginCapture(stream, ThreadLocal);

    /// <summary>Ends the capture; the graph is 0 where it has failed, else the caller's to destroy.</summary>
    public int End(nint stream, out nint graph)
    {
        fixed (nint* handle = &graph) return endCapture(stream, handle);
    }

    /// <summary>Makes a graph that can be launched.</summary>
    public int Instantiate(nint graph, out nint executable)
    {
        fixed (nint* handle = &executable) return instantiate(handle, graph, 0);
    }

    /// <summary>Gives an executable graph the parameters of another one of the same shape; <see cref="UpdateFailure"/> where it has another.</summary>
    public int Update(nint executable, nint graph)
    {
        UpdateInfo info;
        return update(executable, graph, &info);
    }

    /// <summary>Queues an executable graph.</summary>
    public int Launch(nint executable, nint stream) => launch(executable, stream);

    public void DestroyGraph(nint graph) => destroyGraph(graph);

    /// <summary>Destroys an executable graph; what was launched of it runs to its end.</summary>
    public void DestroyExecutable(nint executable) => destroyExecutable(executable);

    /// <summary>The driver's CUgraphExecUpdateResultInfo.</summary>
    private struct UpdateInfo
    {
        public int Result;
        public nint ErrorNode;
        public nint ErrorFromNode;
    }
}
