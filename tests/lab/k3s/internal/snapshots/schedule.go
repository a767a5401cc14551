package snapshots

import (
	"context"
	"time"

	"github.com/robfig/cron/v3"
	"github.com/sirupsen/logrus"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// Schedule says when snapshots are to be made, and how many are kept.
type Schedule struct {
	// Cron has the five fields of a crontab.
	Cron     string
	Name     string
	Compress bool
	Keep     int
}

// Run saves snapshots until ctx ends. connect opens a client for one of them.
func (s Schedule) Run(ctx context.Context, store Store, connect func() (*clientv3.Client, error)) error {
	times, err := cron.ParseStandard(s.Cron)
	if err != nil {
		return err
	}
	for {
		next := times.Next(time.Now())
		logrus.Infof("schedule, now=%s, entry=1, next=%s", time.Now().UTC().Format(time.RFC3339), next.UTC().Format(time.RFC3339))
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(time.Until(next)):
		}
		if err := s.once(ctx, store, connect); err != nil && ctx.Err() == nil {
			logrus.Errorf("Failed to save scheduled snapshot: %v", err)
		}
	}
}

func (s Schedule) once(ctx context.Context, store Store, connect func() (*clientv3.Client, error)) error {
	client, err := connect()
	if err != nil {
		return err
	}
	defer client.Close()
	if _, err := store.Save(ctx, client, s.Name, s.Compress); err != nil {
		return err
	}
	_, err = store.Prune(s.Name, s.Keep)
	return err
}
