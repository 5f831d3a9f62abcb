/* SPDX-License-Identifier: MIT
 *
 * co_comm.h - a lock for the coroutines of one thread, as Tencent's libco has it.
 */
#ifndef WEFT_COMPAT_LIBCO_CO_COMM_H
#define WEFT_COMPAT_LIBCO_CO_COMM_H

#include "co_routine.h"

/** It goes from hand to hand, to who has waited longest. */
class clsCoMutex
{
      public:
	clsCoMutex();
	~clsCoMutex();
	void CoLock();
	void CoUnLock();

      private:
	clsCoMutex(const clsCoMutex &);
	clsCoMutex &operator=(const clsCoMutex &);

	struct stCoMutexState_t *m_state;
};

/** Holds a lock as long as it lives. */
class clsSmartLock
{
      public:
	explicit clsSmartLock(clsCoMutex *mutex) : m_mutex(mutex)
	{
		m_mutex->CoLock();
	}
	~clsSmartLock()
	{
		m_mutex->CoUnLock();
	}

      private:
	clsSmartLock(const clsSmartLock &);
	clsSmartLock &operator=(const clsSmartLock &);

	clsCoMutex *m_mutex;
};

#endif
