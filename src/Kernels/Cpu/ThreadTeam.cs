using System.Diagnostics;
using System.Runtime.ExceptionServices;

namespace RepNoise.Kernels.Cpu;

/// <summary>Work in numbered parts. Parts may run in any order, on any thread, side by side; each writes memory of its own.</summary>
internal interface IWork
{
    /// <param name="part">0 to parts - 1.</param>
    /// <param name="worker">The thread that runs it, 0 to team size - 1: whose scratch memory may be used.</param>
    void Run(int part, int worker);
}

/// <summary>
/// A persistent team of threads. Each has a share of the parts, a run of neighbours, and takes them from its front; a thread
/// that is through with its own takes the last ones of another's. So a thread held up by the machine costs one part and not the
/// whole, and one that is not meets the rows that it wrote in the operation before, still in its cache. Which thread runs a part
/// never shows in a result. Idle threads spin for a while, because the next operation
/// of a training step follows within microseconds, then sleep. A thread that wakes after all parts are done just sleeps on:
/// nobody waits for it. Nothing is allocated after construction.
/// </summary>
internal sealed unsafe class ThreadTeam : IDisposable
{
    // state: operation number << 17 | open << 16 | threads inside. Only an open operation can be joined.
    private const long Open = 1L << 16;
    private const long Inside = Open - 1;
    private const long NextOperation = 1L << 17;

    // About 30 microseconds of pause instructions on a 3 GHz machine: longer than the gap between two operations of a step.
    private const int SpinRounds = 60;

    private readonly bool isDry;
    private readonly Thread[] threads;
    private readonly Lock sleepGate = new();
    private readonly SemaphoreSlim wake = new(0);
    private long state;
    private int sleepers;
    private volatile bool stopping;
    private delegate*<void*, int, int, void> invoke;
    private void* work;

    // Of each thread, a cache line (two, as they are fetched in pairs) apart: its parts that nobody has taken, begin << 32 | end.
    private const int ShareStride = 16;
    private readonly long[] shares;
    private ExceptionDispatchInfo? failure;

    // When each thread began and ended its share of the last work, where an observer wants it; an end of 0 is "had none".
    private readonly long[] begins;
    private readonly long[] ends;

    /// <param name="size">Threads, the caller's included; 0 takes one for every core.</param>
    /// <param name="isDry">True for a team of no threads that runs nothing: for planning.</param>
    public ThreadTeam(int size, bool isDry = false)
    {
        this.isDry = isDry;
        Size = size > 0 ? size : Environment.ProcessorCount;
        (begins, ends) = (new long[Size], new long[Size]);
        shares = new long[(Size + 1) * ShareStride];
        threads = new Thread[isDry ? 0 : Size - 1];
        for (int i = 0; i < threads.Length; i++)
        {
            int worker = i + 1;
            threads[i] = new Thread(() => Serve(worker)) { IsBackground = true, Name = $"cpu kernels {worker}" };
            threads[i].Start();
        }
    }

    /// <summary>Threads, the caller's included.</summary>
    public int Size { get; }

    /// <summary>Told when each thread worked; null for nobody. Set it between operations only.</summary>
    public IOperationObserver? Observer { get; set; }

    /// <summary>Runs all parts and returns when they are done; the first exception of any of them is thrown here.</summary>
    public void Run<TWork>(TWork item, int count)
        where TWork : unmanaged, IWork
    {
        if (count <= 0 || isDry) return;
        if (count == 1 || Size == 1)
        {
            long begun = Observer is null ? 0 : Stopwatch.GetTimestamp();
            for (int part = 0; part < count; part++) item.Run(part, 0);
            Observer?.OnWork(0, begun, Stopwatch.GetTimestamp());
            return;
        }

        work = &item;
        invoke = &Invoke<TWork>;
        failure = null;
        Deal(count);
        if (Observer is not null) Array.Clear(ends);
        Interlocked.Exchange(ref state, (state & ~(NextOperation - 1)) + NextOperation + Open);
        if (Volatile.Read(ref sleepers) > 0) WakeSleepers();
        Claim(0);
        Interlocked.Add(ref state, -Open);
        var spinner = default(SpinWait);
        while ((Volatile.Read(ref state) & Inside) != 0) spinner.SpinOnce(sleep1Threshold: -1);
        if (Observer is not null) TellWork(Observer);
        failure?.Throw();
    }

    public void Dispose()
    {
        stopping = true;
        WakeSleepers();
        foreach (var thread in threads) thread.Join();
        wake.Dispose();
    }

    private static void Invoke<TWork>(void* work, int part, int worker)
        where TWork : unmanaged, IWork => ((TWork*)work)->Run(part, worker);

    private void Serve(int worker)
    {
        long seen = 0;
        while (!stopping)
        {
            long current = Await(seen);
            while ((current & Open) != 0)
            {
                long before = Interlocked.CompareExchange(ref state, current + 1, current);
                if (before == current)
                {
                    Claim(worker);
                    Interlocked.Decrement(ref state);
                    break;
                }

                current = before;
            }

            seen = current & ~(NextOperation - 1);
        }
    }

    /// <summary>The state once it names another operation than the one seen last, or the team stops.</summary>
    private long Await(long seen)
    {
        while (true)
        {
            for (int round = 0; round < SpinRounds; round++)
            {
                if (IsNews(seen, out long current)) return current;
                Thread.SpinWait(20);
            }

            lock (sleepGate) sleepers++;
            Interlocked.MemoryBarrier(); // against the exchange in Run: one side sees the other
            if (IsNews(seen, out long late))
            {
                lock (sleepGate)
                {
                    if (sleepers > 0) sleepers--;
                }

                return late;
            }

            wake.Wait();
        }
    }

    private bool IsNews(long seen, out long current)
    {
        current = Volatile.Read(ref state);
        return stopping || ((current & Open) != 0 && (current & ~(NextOperation - 1)) != seen);
    }

    private void WakeSleepers()
    {
        lock (sleepGate)
        {
            if (sleepers > 0) wake.Release(sleepers);
            sleepers = 0;
        }
    }

    private void TellWork(IOperationObserver observer)
    {
        for (int worker = 0; worker < Size; worker++)
        {
            if (ends[worker] != 0) observer.OnWork(worker, begins[worker], ends[worker]);
        }
    }

    private void Claim(int worker)
    {
        long begun = Observer is null ? 0 : Stopwatch.GetTimestamp();
        bool worked = false;
        for (int other = 0; other < Size; other++)
        {
            // Its own share first, then the others', the next thread's first, so that two thieves seldom meet.
            int owner = worker + other < Size ? worker + other : worker + other - Size;
            while (TryTake(owner, fromFront: other == 0, out int part))
            {
                worked = true;
                try
                {
                    invoke(work, part, worker);
                }
                catch (Exception e)
                {
                    Interlocked.CompareExchange(ref failure, ExceptionDispatchInfo.Capture(e), null);
                }
            }
        }

        if (worked && Observer is not null) (begins[worker], ends[worker]) = (begun, Stopwatch.GetTimestamp());
    }

    /// <summary>Equal shares of neighbouring parts, in the order of the threads.</summary>
    private void Deal(int count)
    {
        for (int worker = 0; worker < Size; worker++)
        {
            long begin = (long)count * worker / Size, end = (long)count * (worker + 1) / Size;
            Share(worker) = (begin << 32) | end;
        }
    }

    private bool TryTake(int owner, bool fromFront, out int part)
    {
        ref long share = ref Share(owner);
        long current = Volatile.Read(ref share);
        while (true)
        {
            int begin = (int)(current >> 32), end = (int)current;
            part = fromFront ? begin : end - 1;
            if (begin >= end) return false;
            long before = Interlocked.CompareExchange(ref share, fromFront ? current + (1L << 32) : current - 1, current);
            if (before == current) return true;
            current = before;
        }
    }

    private ref long Share(int worker) => ref shares[(worker + 1) * ShareStride];
}
