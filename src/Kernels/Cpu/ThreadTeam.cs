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
/// A persistent team of threads. Parts are claimed from a counter, so that a thread held up by the machine costs one part and
/// not the whole; which thread runs a part never shows in a result. Idle threads spin for a while, because the next operation
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
    private int parts;
    private int next;
    private ExceptionDispatchInfo? failure;

    /// <param name="size">Threads, the caller's included; 0 takes one for every core.</param>
    /// <param name="isDry">True for a team of no threads that runs nothing: for planning.</param>
    public ThreadTeam(int size, bool isDry = false)
    {
        this.isDry = isDry;
        Size = size > 0 ? size : Environment.ProcessorCount;
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

    /// <summary>Runs all parts and returns when they are done; the first exception of any of them is thrown here.</summary>
    public void Run<TWork>(TWork item, int count)
        where TWork : unmanaged, IWork
    {
        if (count <= 0 || isDry) return;
        if (count == 1 || Size == 1)
        {
            for (int part = 0; part < count; part++) item.Run(part, 0);
            return;
        }

        work = &item;
        invoke = &Invoke<TWork>;
        (parts, next, failure) = (count, 0, null);
        Interlocked.Exchange(ref state, (state & ~(NextOperation - 1)) + NextOperation + Open);
        if (Volatile.Read(ref sleepers) > 0) WakeSleepers();
        Claim(0);
        Interlocked.Add(ref state, -Open);
        var spinner = default(SpinWait);
        while ((Volatile.Read(ref state) & Inside) != 0) spinner.SpinOnce(sleep1Threshold: -1);
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

    private void Claim(int worker)
    {
        int part;
        while ((part = Interlocked.Increment(ref next) - 1) < parts)
        {
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
}
